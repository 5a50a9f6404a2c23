// Small tools of every part. Text goes in as text, never as markup.
const SVG = "http://www.w3.org/2000/svg";
const ICONS = {
  search: "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14Zm5 12 4.5 4.5",
  picture: "M4 5h16v14H4zM4 16l4.5-4.5 4 4 2.5-2.5 5 5M15.5 9.5h.01",
  link: "M10 14a4 4 0 0 0 6 .4l3-3a4 4 0 0 0-5.7-5.7l-1.2 1.2M14 10a4 4 0 0 0-6-.4l-3 3a4 4 0 0 0 5.7 5.7l1.2-1.2",
  close: "M6 6l12 12M18 6 6 18",
  like: "M7 4h10v10H7zM4 8v12h12",
  filter: "M4 6h16M7 12h10M10 18h4",
  left: "M15 5l-7 7 7 7",
  right: "M9 5l7 7-7 7",
  plus: "M12 5v14M5 12h14",
  upload: "M12 16V5m0 0L7.5 9.5M12 5l4.5 4.5M5 19h14",
  download: "M12 5v11m0 0 4.5-4.5M12 16l-4.5-4.5M5 20h14",
  edit: "M5 19l1-4L16.5 4.5l3 3L9 18z",
  trash: "M5 7h14M10 7V5h4v2M7 7l1 13h8l1-13",
  check: "M5 12.5 10 17 19 7",
  alert: "M12 4 2.8 20h18.4zM12 10v4M12 17h.01",
  bars: "M5 19V9M12 19V5M19 19v-7",
  up: "M6 15l6-6 6 6",
  brush: "M14 5l5 5-8 8H6v-5zM12 7l5 5M4 21h16",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  dice: "M5 5h14v14H5zM9 9h.01M15 15h.01M15 9h.01M9 15h.01M12 12h.01",
  again: "M19 12a7 7 0 1 1-2-5l2 2M19 4v5h-5",
  key: "M14 10a4 4 0 1 0-3.5 4L12 12.500l2 0 0-2 2 0 0-2 3 0 0 3-5-1.500",
};

function h(tag, props, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "style") for (const [k, v] of Object.entries(value)) node.style.setProperty(k, v);
    else if (["value", "checked", "disabled", "selected", "open", "indeterminate"].includes(name)) node[name] = value;
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat(9).filter((c) => c !== null && c !== undefined && c !== false && c !== ""));
  return node;
}

function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  for (const [k, v] of Object.entries({
    viewBox: "0 0 24 24", width: 20, height: 20, fill: "none", stroke: "currentColor",
    "stroke-width": 1.7, "stroke-linecap": "round", "stroke-linejoin": "round", "aria-hidden": "true",
  })) svg.setAttribute(k, v);
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

function say(text, values) {
  return (text || "").replace(/\{(\w+)\}/g, (all, name) => (values && name in values ? values[name] : all));
}

// A part has a place for its content, and one for dialogs that outlive new content.
function root(parent) {
  const place = parent.querySelector(".part");
  place.content ||= place.appendChild(h("div", { class: "content" }));
  place.sheets ||= place.appendChild(h("div", { class: "sheets" }));
  return place;
}

// Puts nodes in place; those that are there stay untouched. The focus goes to what has the same
// data-focus as what had it.
function fill(place, ...children) {
  const active = place.getRootNode().activeElement;
  const kept = active && place.contains(active) ? active.getAttribute("data-focus") : null;
  const nodes = children.flat(9).filter(Boolean);
  nodes.forEach((node, n) => {
    if (place.childNodes[n] !== node) place.insertBefore(node, place.childNodes[n] || null);
  });
  while (place.childNodes.length > nodes.length) place.lastChild.remove();
  if (kept && place.getRootNode().activeElement !== active) {
    const again = [...place.querySelectorAll("[data-focus]")].find((n) => n.getAttribute("data-focus") === kept);
    if (again) again.focus({ preventScroll: true });
  }
}

// Makes a piece anew only when what it shows has changed.
function keep(place, name, data, make) {
  const pieces = (place.pieces ||= {});
  const now = JSON.stringify(data);
  if (!pieces[name] || pieces[name].now !== now) pieces[name] = { now, node: make() };
  return pieces[name].node;
}

function field(label, input, hint) {
  return h("label", { class: "field" }, h("span", {}, label), input, hint ? h("small", { class: "soft" }, hint) : null);
}

function choice(options, value, props) {
  const node = h("select", props, options.map(([code, name]) => h("option", { value: code, selected: code === value }, name)));
  node.value = value;
  return node;
}

function badge(state, texts) {
  return h("span", { class: `badge ${state}` }, texts[state] || state);
}

function when(iso, language) {
  const at = new Date(iso), far = Date.now() - at > 22 * 3600e3;
  return h("time", { datetime: iso, title: at.toLocaleString(language) },
    at.toLocaleString(language, far ? { dateStyle: "medium" } : { hour: "2-digit", minute: "2-digit" }));
}

// Asks before something is done that one might not want.
function confirm(place, { title, text, yes, no, bad }, act) {
  const box = dialog(place, title, h("div", {},
    h("div", { class: "sheet-head" }, h("h2", {}, title)),
    h("div", { class: "sheet-body" }, h("p", {}, text), h("div", { class: "actions end", style: { "margin-top": "1.2rem" } },
      h("button", { type: "button", class: "button", onclick: () => box.close() }, no),
      h("button", { type: "button", class: `button ${bad ? "bad" : "main"}`, "data-yes": true, onclick: () => { box.close(); act(); } }, yes)))));
  box.style.setProperty("width", "min(30rem, calc(100vw - 1.5rem))");
}

function pictureOf(product, n, size) {
  const picture = product.pictures[n] || product.pictures[0];
  return picture ? `/picture/${product.id}/${product.pictures.indexOf(picture)}?size=${size}&v=${picture.v}` : null;
}

function shownPicture(product, n, size, texts, lazy) {
  const at = pictureOf(product, n || 0, size);
  if (!at) return h("span", { class: "no-picture" }, icon("picture"), h("span", {}, texts.no_picture));
  return h("img", { src: at, alt: "", loading: lazy ? "lazy" : "eager", decoding: "async" });
}

// Scales a picture down before it is sent; what the browser cannot read is sent as it is.
async function slim(file) {
  try {
    const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
    const scale = Math.min(1, 1024 / Math.max(bitmap.width, bitmap.height));
    if (scale === 1 && file.size < 400000) return file;
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.round(bitmap.width * scale));
    canvas.height = Math.max(1, Math.round(bitmap.height * scale));
    const context = canvas.getContext("2d");
    context.fillStyle = "#fff";
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    return await new Promise((done) => canvas.toBlob((blob) => done(blob || file), "image/jpeg", 0.9));
  } catch {
    return file;
  }
}

const MOST_PICTURE = 30000000;

// Hands a picture in; answers its digest, or throws what to tell the visitor.
async function handIn(file, texts, whole) {
  if (file.size > MOST_PICTURE) throw say(texts.too_large, { name: file.name, most: "30 MB" });
  const answer = await fetch("/asked", { method: "POST", body: whole ? file : await slim(file) }).catch(() => null);
  if (!answer || !answer.ok) throw say(texts.not_picture, { name: file.name || "?" });
  return (await answer.json()).picture;
}

function number(value, digits, language) {
  return new Intl.NumberFormat(language, { maximumFractionDigits: digits }).format(value);
}

// Opens a dialog over the page; Escape and a click beside it close it, the focus goes back.
function dialog(part, label, content, onclose) {
  const place = part.sheets || part;
  const before = place.getRootNode().activeElement;
  const box = h("dialog", { "aria-label": label, class: "sheet" }, content);
  box.addEventListener("click", (e) => { if (e.target === box) box.close(); });
  box.addEventListener("close", () => {
    box.remove();
    if (before && before.isConnected) before.focus({ preventScroll: true });
    if (onclose) onclose();
  });
  place.append(box);
  box.showModal();
  return box;
}
