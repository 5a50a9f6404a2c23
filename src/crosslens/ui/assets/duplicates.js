export default function ({ data, parentElement, setTriggerValue }) {
  const place = root(parentElement);
  const view = (place.view ||= { kept: {} });
  view.data = data;
  view.tell = setTriggerValue;
  const { texts } = data;
  fill(place.content,
    keep(place, "head", [texts.title, data.view, data.tier, data.scanned, Boolean(data.scan && data.scan.state !== "failed")], () => head(view)),
    keep(place, "notice", data.notice, () => notice(view)),
    data.scan ? keep(place, "scan", data.scan, () => scan(view)) : null,
    data.view === "untitled"
      ? keep(place, "untitled", [data.untitled, data.next, data.after], () => untitled(view))
      : keep(place, "clusters", [data.clusters, data.total, data.page, data.pages], () => clusters(view, place)));
}

function head(view) {
  const { data } = view, { texts } = data;
  const tab = (name) => h("button", { type: "button", "aria-pressed": String(data.view === name), "data-focus": `tab-${name}`, onclick: () => view.tell("go", { view: name === "untitled" ? name : "", after: "", page: "" }) }, texts[name]);
  const busy = data.scan && data.scan.state !== "failed";
  return h("div", { class: "head" },
    h("div", {}, h("h1", {}, texts.title), h("p", { class: "soft" }, data.view === "untitled" ? texts.untitled_about : texts.about)),
    h("div", { class: "actions" },
      h("div", { class: "tabs", role: "group", "aria-label": texts.views }, tab("clusters"), tab("untitled")),
      data.view === "untitled" ? null : choice([["", texts.tier_all], ...["exact", "near", "same_product"].map((t) => [t, texts[`tier_${t}`]])], data.tier, { "aria-label": texts.reason, "data-focus": "tier", onchange: (e) => view.tell("go", { tier: e.target.value, page: "" }) }),
      data.view === "untitled" ? null : h("button", { type: "button", class: `button ${data.scanned ? "" : "main"}`, disabled: busy, "data-focus": "scan", onclick: () => view.tell("scan", true) }, icon("search"), texts.scan)));
}

function notice(view) {
  const { data } = view, { texts, notice } = data;
  return h("div", { role: "status", class: "told" },
    notice ? h("p", { class: `notice ${notice.good ? "good" : ""}` }, icon(notice.good ? "check" : "alert"), h("span", {}, notice.text),
      notice.undo ? h("button", { type: "button", class: "button tiny", "data-focus": "undo", onclick: () => view.tell("undo", notice.undo) }, texts.undo) : null) : null);
}

function scan(view) {
  const { data } = view, { texts, scan } = data;
  return h("section", { class: "panel", role: "status" },
    h("div", { class: "row" }, h("strong", {}, texts.scanning), badge(scan.state, texts)),
    scan.error ? h("p", { class: "notice" }, icon("alert"), h("span", {}, scan.error)) : h("progress", { max: 1, ...(scan.total ? { value: scan.done / scan.total } : {}), "aria-label": texts.scanning }));
}

function clusters(view, place) {
  const { data } = view, { texts } = data;
  if (!data.clusters.length) return h("div", { class: "nothing" }, h("h2", {}, data.scanned ? texts.nothing : texts.never), h("p", { class: "soft" }, data.scanned ? texts.nothing_hint : ""));
  const turn = (page) => { view.tell("go", { page }); document.querySelector("[data-testid=stMain]")?.scrollTo({ top: 0 }); };
  return h("div", { class: "list" },
    h("p", { class: "soft small" }, say(texts.clusters_in_all, { n: number(data.total, 0, data.language) }), data.scanned ? [" · ", scannedAt(view)] : null),
    data.clusters.map((one) => cluster(view, place, one)),
    data.pages > 1 ? h("nav", { class: "pager", "aria-label": texts.paging },
      h("button", { type: "button", class: "button", disabled: data.page <= 1, "data-focus": "previous", onclick: () => turn(data.page - 1) }, icon("left"), texts.previous),
      h("span", { class: "soft" }, say(texts.page_of, { page: data.page, pages: data.pages })),
      h("button", { type: "button", class: "button", disabled: data.page >= data.pages, "data-focus": "next", onclick: () => turn(data.page + 1) }, texts.next, icon("right"))) : null);
}

function scannedAt(view) {
  const { data } = view, [before, after] = data.texts.scanned.split("{at}");
  return h("span", {}, before, when(data.scanned, data.language), after);
}

function cluster(view, place, one) {
  const { data } = view, { texts } = data;
  const ids = one.products.map((p) => p.id), name = ids.join("-");
  const kept = () => (ids.includes(view.kept[name]) ? view.kept[name] : ids[0]);
  const title = () => one.products.find((p) => p.id === kept()).title.slice(0, 120);
  const card = (p) => h("li", {},
    h("label", { class: "pickable" },
      h("span", { class: "frame" }, shownPicture(p, 0, 512, texts, true)),
      h("span", { class: "line" }, h("input", { type: "radio", name: `keep-${name}`, value: p.id, checked: kept() === p.id, "data-focus": `keep-${name}-${p.id}`, "aria-label": `${texts.keep}: ${p.title.slice(0, 80)} (#${p.id})`, onchange: () => { view.kept[name] = p.id; } }), h("span", { class: "small soft" }, texts.keep_short))),
    h("a", { class: "title", href: p.href, lang: p.lang, title: p.title }, p.title),
    h("p", { class: "soft small facts" }, [`#${p.id}`, p.source_key, p.pictures.length > 1 ? say(texts.pictures, { n: p.pictures.length }) : null].filter(Boolean).join(" · ")));
  return h("section", { class: "panel cluster", "aria-label": `${texts[`tier_${one.tier}`]}: ${one.products[0].title.slice(0, 80)}` },
    h("h2", {}, h("span", { class: `tier ${one.tier}` }, texts[`tier_${one.tier}`])),
    h("ul", { class: "cards" }, one.products.map(card)),
    h("ul", { class: "why soft small", "aria-label": texts.because }, one.why.slice(0, 6).map((w) => h("li", {}, h("span", { class: "pair" }, `#${w.left} – #${w.right}`), " ", w.said))),
    h("div", { class: "actions" },
      h("button", { type: "button", class: "button main", "data-focus": `merge-${name}`, onclick: () => confirm(place, { title: texts.merge, text: say(texts.merge_sure, { title: title(), n: ids.length - 1 }), yes: texts.merge, no: texts.cancel }, () => view.tell("merge", { ids, keep: kept() })) }, texts.merge),
      h("button", { type: "button", class: "button", "data-focus": `distinct-${name}`, onclick: () => view.tell("distinct", ids) }, texts.distinct)));
}

function untitled(view) {
  const { data } = view, { texts } = data;
  if (!data.untitled.length && !data.after && !data.next) return h("div", { class: "nothing" }, h("h2", {}, texts.untitled_none));
  const one = (p) => h("li", { class: "panel bare" },
    h("span", { class: "frame" }, shownPicture(p, 0, 512, texts, true)),
    h("div", { class: "stack" },
      h("p", {}, h("strong", { lang: p.lang }, p.title), " ", h("span", { class: "soft small" }, `#${p.id}`)),
      p.titles.length ? h("ul", { class: "titles" }, p.titles.map((t, n) => h("li", {}, h("button", { type: "button", class: "button tiny", lang: t.lang, "data-focus": `title-${p.id}-${n}`, "aria-label": say(texts.take, { title: t.title.slice(0, 120) }), onclick: () => view.tell("entitle", { id: p.id, revision: p.revision, title: t.title, former: p.title }) }, icon("check"), h("span", {}, t.title))))) : h("p", { class: "soft small" }, texts.no_idea),
      h("a", { class: "small", href: p.href }, texts.write)));
  return h("div", { class: "list" },
    h("ul", { class: "bares" }, data.untitled.map(one)),
    h("div", { class: "actions" },
      data.after ? h("button", { type: "button", class: "button", "data-focus": "start", onclick: () => view.tell("go", { after: "" }) }, texts.from_start) : null,
      data.next ? h("button", { type: "button", class: "button", "data-focus": "more", onclick: () => view.tell("go", { after: data.next }) }, texts.more, icon("right")) : null));
}
