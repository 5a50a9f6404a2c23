const URLISH = /^https?:\/\/\S+$/i;

export default function ({ data, parentElement, setTriggerValue }) {
  const place = root(parentElement);
  let view = place.view;
  if (!view) view = place.view = build(place);
  view.data = data;
  view.tell = setTriggerValue;
  view.update();
  return () => { view.release(); place.view = null; place.content.replaceChildren(); };
}

function build(place) {
  const view = { asked: {}, error: "", busy: false };
  const words = h("input", { type: "search", name: "q", maxlength: 2000, autocomplete: "off", spellcheck: "false", enterkeyhint: "search" });
  const file = h("input", { type: "file", accept: "image/*", class: "visually-hidden", tabindex: "-1", "aria-hidden": "true", id: "crosslens-file" });
  const attach = h("button", { type: "button", class: "icon", onclick: () => file.click() }, icon("picture"));
  const go = h("button", { type: "submit", class: "go" });
  const chips = h("div", { class: "chips" });
  const kind = h("select", { id: "kind" });
  const kindLabel = h("label", { for: "kind" });
  const alpha = h("input", { type: "range", id: "alpha", min: 0, max: 1, step: 0.05 });
  const alphaOut = h("output", { for: "alpha" });
  const alphaLabel = h("label", { for: "alpha" });
  const alphaBox = h("div", { class: "alpha" }, alphaLabel, h("span", { class: "ends" }), alpha, alphaOut);
  const imagine = h("input", { type: "checkbox", id: "imagine" });
  const imagineBox = h("label", { class: "imagine" }, imagine, icon("brush"), h("span", {}));
  const told = h("div", { role: "alert", class: "told" });
  const veil = h("div", { class: "veil", "aria-hidden": "true" }, icon("picture"), h("span", {}));
  const title = h("h1", {});
  const form = h("form", { role: "search" },
    h("div", { class: "line" }, h("span", { class: "glass" }, icon("search")), chips, words, attach, file, go), veil);
  const options = h("div", { class: "options" }, h("div", { class: "kind" }, kindLabel, kind), imagineBox, alphaBox);
  fill(place.content, title, form, told, options);

  const ask = (changes) => {
    view.asked = { ...view.asked, ...changes, page: 1 };
    view.error = "";
    view.draw();
    view.tell("ask", view.asked);
  };
  const withWords = () => ({ words: words.value.trim() });
  const take = async (one) => {
    view.busy = true;
    view.error = "";
    view.draw();
    try {
      const picture = await handIn(one, view.data.texts);
      view.busy = false;
      ask({ ...withWords(), picture, url: "", like: 0 });
    } catch (why) {
      view.busy = false;
      view.error = String(why);
      view.draw();
    }
  };
  const takeUrl = (url) => ask({ ...withWords(), picture: "", like: 0, url });
  const first = (list) => [...(list || [])][0];

  form.addEventListener("submit", (e) => {
    e.preventDefault();
    const said = words.value.trim();
    if (URLISH.test(said)) { words.value = ""; takeUrl(said); return; }
    ask({ words: said });
  });
  file.addEventListener("change", () => { const one = first(file.files); file.value = ""; if (one) take(one); });
  words.addEventListener("paste", (e) => {
    const one = first(e.clipboardData?.files);
    const text = e.clipboardData?.getData("text")?.trim();
    if (one) { e.preventDefault(); take(one); }
    else if (URLISH.test(text || "") && !words.value.trim()) { e.preventDefault(); takeUrl(text); }
  });
  kind.addEventListener("change", () => ask({ ...withWords(), kind: kind.value }));
  imagine.addEventListener("change", () => ask({ ...withWords(), imagine: imagine.checked }));
  alpha.addEventListener("input", () => { alphaOut.value = Number(alpha.value).toFixed(2); });
  alpha.addEventListener("change", () => ask({ ...withWords(), alpha: Number(alpha.value) }));

  // A picture may be dropped anywhere on the page.
  let depth = 0;
  const carries = (e) => [...(e.dataTransfer?.types || [])].some((t) => t === "Files" || t === "text/uri-list");
  const over = (e) => { if (carries(e)) { e.preventDefault(); } };
  const enter = (e) => { if (carries(e)) { depth += 1; form.classList.add("over"); } };
  const leave = () => { depth = Math.max(0, depth - 1); if (!depth) form.classList.remove("over"); };
  const drop = (e) => {
    depth = 0;
    form.classList.remove("over");
    if (!carries(e)) return;
    e.preventDefault();
    const one = first(e.dataTransfer.files);
    const url = e.dataTransfer.getData("text/uri-list").split("\n")[0].trim();
    if (one) take(one);
    else if (URLISH.test(url)) takeUrl(url);
  };
  const slash = (e) => {
    const typing = e.composedPath()[0]?.matches?.("input, textarea, select, [contenteditable]");
    if (e.key === "/" && !typing && !e.metaKey && !e.ctrlKey) { e.preventDefault(); words.focus(); words.select(); }
  };
  const listen = { dragover: over, dragenter: enter, dragleave: leave, drop, keydown: slash };
  for (const [name, act] of Object.entries(listen)) window.addEventListener(name, act);
  view.release = () => { for (const [name, act] of Object.entries(listen)) window.removeEventListener(name, act); };

  const chip = (label, shown, changes) => h("span", { class: "chip" }, shown, h("span", { class: "name" }, label),
    h("button", { type: "button", "aria-label": say(view.data.texts.take_off, { name: label }), onclick: () => { ask({ ...withWords(), ...changes }); words.focus(); } }, icon("close")));

  view.update = () => {
    const same = JSON.stringify(view.data.asked) === view.last;
    if (!same) {
      view.last = JSON.stringify(view.data.asked);
      view.asked = { ...view.data.asked };
      if (words.getRootNode().activeElement !== words || !words.value.trim()) words.value = view.asked.words;
      else if (words.value.trim() !== view.asked.words) words.value = view.asked.words;
    }
    view.error = view.data.error || (same ? view.error : "");
    view.draw();
  };
  view.draw = () => {
    const { texts, kinds, like, empty } = view.data;
    const { asked } = view;
    place.classList.toggle("hero", Boolean(empty));
    title.textContent = empty ? texts.claim : texts.title;
    title.className = empty ? "" : "visually-hidden";
    words.placeholder = asked.picture || asked.url || asked.like ? texts.and_words : texts.words;
    words.setAttribute("aria-label", texts.words_label);
    attach.setAttribute("aria-label", texts.attach);
    attach.title = texts.attach;
    go.textContent = texts.go;
    veil.lastChild.textContent = texts.drop;
    form.classList.toggle("busy", view.busy);
    chips.replaceChildren(...[
      asked.picture && chip(texts.your_picture, h("img", { src: `/asked/${asked.picture}`, alt: "" }), { picture: "" }),
      asked.url && chip(asked.url, icon("link"), { url: "" }),
      asked.like && chip(like ? like.title : `#${asked.like}`, like && like.pictures.length ? shownPicture(like, 0, 64, texts) : icon("like"), { like: 0 }),
      view.busy && h("span", { class: "chip" }, texts.loading),
    ].filter(Boolean));
    kindLabel.textContent = texts.kind;
    kind.replaceChildren(...kinds.map((k) => h("option", { value: k, selected: k === asked.kind }, texts[`kind_${k}`])));
    kind.value = asked.kind;
    const both = asked.words && (asked.picture || asked.url || asked.like);
    const mixed = asked.kind === "hybrid" || (asked.kind === "auto" && asked.words);
    alphaBox.hidden = !(mixed && (both || asked.kind === "hybrid"));
    imagineBox.hidden = !(asked.words && mixed && !both);
    imagineBox.title = texts.imagine_hint;
    imagineBox.lastChild.textContent = texts.imagine;
    imagine.checked = Boolean(asked.imagine);
    alphaLabel.textContent = texts.alpha;
    alphaBox.querySelector(".ends").replaceChildren(h("span", {}, texts.by_letter), h("span", {}, texts.by_meaning));
    const value = asked.alpha === null || asked.alpha === undefined ? view.data.alpha : asked.alpha;
    alpha.value = value;
    alphaOut.value = asked.alpha === null || asked.alpha === undefined ? texts.alpha_auto : Number(value).toFixed(2);
    options.hidden = Boolean(empty);
    told.replaceChildren(...(view.error ? [h("p", { class: "notice" }, icon("alert"), h("span", {}, view.error))] : []));
  };
  return view;
}
