export default function ({ data, parentElement, setTriggerValue }) {
  const place = root(parentElement);
  const view = (place.view ||= { editing: null });
  view.data = data;
  view.tell = setTriggerValue;
  fill(place.content,
    keep(place, "head", [data.texts, data.find, data.sort, data.size, data.may_write], () => top(view, place)),
    keep(place, "notice", [data.notice, data.undo], () => notice(view)),
    data.job ? keep(place, "job", data.job, () => importing(view)) : null,
    keep(place, "list", [data.products, data.total, data.page, data.pages], () => list(view, place)),
  );
  editing(view, place);
}

function top(view, place) {
  const { data } = view, { texts } = data;
  const find = h("input", { type: "search", value: data.find, placeholder: texts.find, "aria-label": texts.find, "data-focus": "find" });
  let waiting;
  const go = () => { clearTimeout(waiting); if (find.value.trim() !== view.data.find) view.tell("go", { find: find.value.trim(), page: 1 }); };
  find.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(go, 350); });
  find.addEventListener("change", go);
  return h("div", { class: "top" },
    h("h1", {}, texts.title),
    h("div", { class: "actions" },
      h("button", { type: "button", class: "button", onclick: () => importSheet(view, place) }, icon("upload"), texts.import),
      h("button", { type: "button", class: "button main", onclick: () => view.tell("go", { product: "new" }) }, icon("plus"), texts.add)),
    h("form", { class: "tools", role: "search", onsubmit: (e) => { e.preventDefault(); go(); } },
      find,
      choice(Object.entries(texts.sorts), data.sort, { "aria-label": texts.sort, onchange: (e) => view.tell("go", { sort: e.target.value, page: 1 }) }),
      choice([10, 20, 50, 100].map((n) => [String(n), say(texts.per_page, { n })]), String(data.size), { "aria-label": texts.page_size, onchange: (e) => view.tell("go", { size: Number(e.target.value), page: 1 }) })));
}

function notice(view) {
  const { data } = view, { texts } = data;
  return h("div", { role: "status", class: "told" },
    data.notice ? h("p", { class: `notice ${data.notice.good ? "good" : ""}` }, icon(data.notice.good ? "check" : "alert"), h("span", {}, data.notice.text),
      data.undo ? h("button", { type: "button", class: "button tiny", "data-focus": "undo", onclick: () => view.tell("undo", data.undo) }, texts.undo) : null) : null);
}

function list(view, place) {
  const { data } = view, { texts } = data;
  if (!data.products.length) return h("div", { class: "nothing" }, h("h2", {}, data.find ? texts.nothing_found : texts.nothing_here), h("p", { class: "soft" }, data.find ? "" : texts.nothing_hint));
  const row = (p) => h("tr", {},
    h("td", { class: "thumb" }, h("span", { class: "frame" }, shownPicture(p, 0, 128, { no_picture: "" }, true))),
    h("td", { class: "name" },
      h("button", { type: "button", class: "title", lang: p.lang, "data-focus": `title-${p.id}`, onclick: () => view.tell("go", { product: String(p.id) }) }, p.title),
      h("span", { class: "soft small line" }, [`#${p.id}`, p.source_key].filter(Boolean).join(" · "))),
    h("td", { class: "state" }, badge(p.state, texts),
      p.error ? h("span", { class: "small reason" }, p.error) : null,
      p.state === "parked" ? h("button", { type: "button", class: "button tiny quiet", "data-focus": `again-${p.id}`, onclick: () => view.tell("again", p.id) }, texts.retry) : null),
    h("td", { class: "soft small changed" }, when(p.updated, data.language)),
    h("td", { class: "does" },
      h("button", { type: "button", class: "button tiny quiet", "data-focus": `edit-${p.id}`, "aria-label": say(texts.edit_title, { title: p.title.slice(0, 80) }), onclick: () => view.tell("go", { product: String(p.id) }) }, icon("edit")),
      h("button", { type: "button", class: "button tiny quiet", "data-focus": `remove-${p.id}`, "aria-label": say(texts.remove_title, { title: p.title.slice(0, 80) }), onclick: () => remove(view, place, p) }, icon("trash"))));
  return h("div", {},
    h("table", {}, h("caption", { class: "visually-hidden" }, texts.title),
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, h("span", { class: "visually-hidden" }, texts.picture)), h("th", { scope: "col" }, texts.product), h("th", { scope: "col", class: "state" }, texts.state), h("th", { scope: "col", class: "changed" }, texts.changed), h("th", { scope: "col" }, h("span", { class: "visually-hidden" }, texts.actions)))),
      h("tbody", {}, data.products.map(row))),
    h("div", { class: "foot" },
      h("span", { class: "soft small" }, say(data.total_exact ? texts.total : texts.total_least, { n: number(data.total, 0, data.language) })),
      h("nav", { class: "pager", "aria-label": texts.paging },
        h("button", { type: "button", class: "button tiny", disabled: data.page <= 1, "aria-label": texts.first, "data-focus": "first", onclick: () => view.tell("go", { page: 1 }) }, "«"),
        h("button", { type: "button", class: "button tiny", disabled: data.page <= 1, "data-focus": "previous", onclick: () => view.tell("go", { page: data.page - 1 }) }, icon("left"), texts.previous),
        h("span", { class: "soft small" }, say(texts.page_of, { page: data.page, pages: data.pages })),
        h("button", { type: "button", class: "button tiny", disabled: data.page >= data.pages, "data-focus": "next", onclick: () => view.tell("go", { page: data.page + 1 }) }, texts.next, icon("right")),
        h("button", { type: "button", class: "button tiny", disabled: data.page >= data.pages, "aria-label": texts.last, "data-focus": "last", onclick: () => view.tell("go", { page: data.pages }) }, "»"))));
}

function remove(view, place, product) {
  const { texts } = view.data;
  confirm(place, { title: texts.remove, text: say(texts.remove_sure, { title: product.title.slice(0, 200) }), yes: texts.remove, no: texts.cancel, bad: true },
    () => view.tell("remove", { id: product.id, title: product.title }));
}

function importing(view) {
  const { data } = view, { texts, job } = data;
  const share = job.expected ? Math.min(1, job.read / job.expected) : null;
  return h("section", { class: "panel job", "aria-label": texts.import },
    h("div", { class: "job-head" }, h("h2", {}, say(texts.importing, { name: job.source })), badge(job.state === "done" ? "done" : ["failed", "cancelled"].includes(job.state) ? "failed" : "running", { ...texts, failed: texts[`job_${job.state}`] || texts.failed })),
    h("progress", { max: 1, ...(job.ended ? { value: 1 } : share === null ? {} : { value: share }), "aria-label": texts.progress }),
    h("p", { class: "counts" }, say(texts.job_counts, Object.fromEntries(["read", "stored", "skipped", "failed"].map((k) => [k, number(job[k], 0, data.language)])))),
    job.error ? h("p", { class: "notice" }, icon("alert"), h("span", {}, job.error)) : null,
    job.bad.length ? h("details", { open: true }, h("summary", {}, say(texts.left_out, { n: number(job.failed, 0, data.language) })),
      h("div", { class: "scroll" }, h("table", {}, h("thead", {}, h("tr", {}, [texts.line, texts.source_key, texts.reason].map((t) => h("th", { scope: "col" }, t)))),
        h("tbody", {}, job.bad.slice(0, 10).map((b) => h("tr", {}, h("td", {}, b.line === null ? "" : String(b.line)), h("td", {}, b.key || ""), h("td", { class: "reason" }, b.reason))))))) : null,
    h("div", { class: "actions" },
      job.bad.length ? h("a", { class: "button", href: `/report/${job.id}`, download: "" }, icon("download"), texts.report) : null,
      job.ended ? h("button", { type: "button", class: "button", onclick: () => view.tell("go", { import: "" }) }, texts.close)
        : h("button", { type: "button", class: "button", onclick: () => view.tell("stop", job.id) }, texts.stop)));
}

function importSheet(view, place) {
  const { texts } = view.data;
  const told = h("div", { role: "alert" });
  const file = h("input", { type: "file", accept: ".csv,.tsv,.jsonl,.ndjson,.json,.parquet", id: "import-file", class: "visually-hidden", "aria-label": texts.choose_file });
  const send = async (one) => {
    if (!one) return;
    told.replaceChildren(h("p", { class: "soft" }, texts.loading));
    const answer = await fetch(`/handed?name=${encodeURIComponent(one.name)}`, { method: "POST", body: one }).catch(() => null);
    const said = answer ? await answer.json().catch(() => ({})) : {};
    if (answer && answer.ok) { box.close(); view.tell("go", { import: said.job }); }
    else told.replaceChildren(h("p", { class: "notice" }, icon("alert"), h("span", {}, said.why || texts.away_title)));
  };
  const zone = h("div", { class: "zone" }, icon("upload"), h("p", {}, texts.import_drop),
    h("button", { type: "button", class: "button main", onclick: () => file.click() }, texts.choose_file), file, h("p", { class: "soft small" }, texts.import_hint));
  file.addEventListener("change", () => { const one = file.files[0]; file.value = ""; send(one); });
  for (const name of ["dragenter", "dragover"]) zone.addEventListener(name, (e) => { e.preventDefault(); zone.classList.add("over"); });
  zone.addEventListener("dragleave", () => zone.classList.remove("over"));
  zone.addEventListener("drop", (e) => { e.preventDefault(); zone.classList.remove("over"); send(e.dataTransfer.files[0]); });
  const box = dialog(place, texts.import, h("div", {},
    h("div", { class: "sheet-head" }, h("h2", {}, texts.import), h("button", { type: "button", class: "button quiet", "aria-label": texts.close, onclick: () => box.close() }, icon("close"))),
    h("div", { class: "sheet-body" }, zone, told)));
  box.style.setProperty("width", "min(38rem, calc(100vw - 1.5rem))");
}

function editing(view, place) {
  const { data } = view;
  const wanted = data.editing ? `${data.editing.id}@${data.editing.revision}` : null;
  if (wanted === view.editing) { if (view.box) view.box.refuse(data.editing.refused); return; }
  view.editing = wanted;
  if (view.box) { view.box.silent = true; view.box.close(); view.box = null; }
  if (data.editing) view.box = editor(view, place, data.editing);
}

function editor(view, place, product) {
  const { texts, names } = view.data;
  const pictures = product.pictures.map((p, n) => (p.digest ? { digest: p.digest, at: `/asked/${p.digest}` } : { kept: n, at: `/picture/${product.id}/${n}?size=256&v=${p.v}` }));
  const strip = h("ul", { class: "strip" });
  const told = h("div", { role: "alert" });
  const draw = () => strip.replaceChildren(
    ...pictures.map((p, n) => h("li", {}, h("img", { src: p.at, alt: say(texts.picture_of, { n: n + 1, of: pictures.length }) }),
      h("span", { class: "on" },
        n ? h("button", { type: "button", "aria-label": texts.to_front, title: texts.to_front, onclick: () => { pictures.unshift(...pictures.splice(n, 1)); draw(); } }, icon("up")) : null,
        h("button", { type: "button", "aria-label": say(texts.take_off_picture, { n: n + 1 }), title: texts.take_off_short, onclick: () => { pictures.splice(n, 1); draw(); } }, icon("close"))))),
    h("li", {}, h("button", { type: "button", class: "add", onclick: () => file.click() }, icon("plus"), texts.add_pictures)));
  const file = h("input", { type: "file", accept: "image/*", multiple: true, class: "visually-hidden", tabindex: "-1", "aria-hidden": "true", id: "product-pictures" });
  const take = async (files) => {
    told.replaceChildren();
    for (const one of files) {
      try {
        const digest = await handIn(one, texts, true);
        pictures.push({ digest, at: `/asked/${digest}` });
      } catch (why) {
        told.replaceChildren(h("p", { class: "notice" }, icon("alert"), h("span", {}, String(why))));
      }
    }
    draw();
  };
  file.addEventListener("change", () => { const files = [...file.files]; file.value = ""; take(files); });
  const title = h("textarea", { rows: 2, required: true, maxlength: 2000, id: "title" });
  title.value = product.title;
  const description = h("textarea", { rows: 3, maxlength: 100000 });
  description.value = product.description;
  const key = h("input", { type: "text", value: product.source_key || "", disabled: Boolean(product.id), maxlength: 500 });
  const rows = h("div", { class: "rows" });
  const row = (name, value, focus) => {
    const one = h("div", { class: "row" },
      h("input", { type: "text", value: name, list: "names", "aria-label": texts.attribute, placeholder: texts.attribute }),
      h("input", { type: "text", value, "aria-label": texts.value, placeholder: texts.value }),
      h("button", { type: "button", class: "button quiet", "aria-label": say(texts.take_off, { name: name || texts.attribute }), onclick: () => one.remove() }, icon("close")));
    rows.append(one);
    if (focus) one.firstChild.focus();
  };
  product.attributes.forEach(([name, value]) => row(name, value));
  const save = h("button", { type: "submit", class: "button main" }, texts.save);
  const form = h("form", { class: "edit", onsubmit: (e) => {
    e.preventDefault();
    if (!title.value.trim()) { title.focus(); return; }
    save.disabled = true;
    const attributes = Object.fromEntries([...rows.children].map((r) => [...r.querySelectorAll("input")].map((i) => i.value.trim())).filter(([n]) => n));
    view.tell("save", { id: product.id, revision: product.revision, title: title.value, description: description.value, source_key: key.value.trim(), attributes, pictures: pictures.map(({ kept, digest }) => (digest ? { digest } : { kept })) });
  } },
    h("div", {}, h("h3", { class: "small soft" }, texts.pictures), strip, file, told),
    field(texts.product_title, title), field(texts.description, description),
    product.id ? null : field(texts.source_key, key, texts.source_key_hint),
    h("div", { class: "field" }, h("h3", { class: "small soft" }, texts.attributes), rows, h("datalist", { id: "names" }, names.map((n) => h("option", { value: n }))),
      h("div", {}, h("button", { type: "button", class: "button tiny quiet", onclick: () => row("", "", true) }, icon("plus"), texts.add_attribute))),
    h("div", { class: "actions end" },
      product.id ? h("button", { type: "button", class: "button quiet bad", onclick: () => remove(view, place, product) }, icon("trash"), texts.remove) : null,
      h("span", { style: { flex: 1 } }),
      h("button", { type: "button", class: "button", onclick: () => box.close() }, texts.cancel), save));
  form.addEventListener("dragover", (e) => e.preventDefault());
  form.addEventListener("drop", (e) => { e.preventDefault(); take([...e.dataTransfer.files]); });
  const refused = h("div", { role: "alert" });
  form.lastChild.before(refused);
  draw();
  const facts = product.id ? h("p", { class: "soft small facts" }, badge(product.state, texts), ` #${product.id} · ${say(texts.revision, { n: product.revision })}`, product.error ? ` · ${product.error}` : "") : null;
  const box = dialog(place, product.id ? texts.edit : texts.add, h("div", {},
    h("div", { class: "sheet-head" }, h("h2", {}, product.id ? texts.edit : texts.add), facts,
      h("button", { type: "button", class: "button quiet", "aria-label": texts.close, onclick: () => box.close() }, icon("close"))),
    h("div", { class: "sheet-body" }, form)), () => { if (!box.silent) { view.editing = null; view.box = null; view.tell("go", { product: "" }); } });
  box.refuse = (why) => {
    save.disabled = false;
    refused.replaceChildren(...(why ? [h("p", { class: "notice" }, icon("alert"), h("span", {}, why))] : []));
  };
  box.refuse(product.refused);
  title.focus();
  return box;
}
