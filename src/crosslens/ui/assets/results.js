export default function ({ data, parentElement, setTriggerValue }) {
  const place = root(parentElement);
  const view = (place.view ||= { why: new Set(), open: null });
  view.data = data;
  const { texts } = data;
  const ask = (changes) => setTriggerValue("ask", { ...data.asked, page: 1, ...changes });
  const start = (product, changes) => { ask({ like: product.id, picture: "", url: "", alpha: null, ...changes }); window.scrollTo?.({ top: 0 }); document.querySelector("[data-testid=stMain]")?.scrollTo({ top: 0 }); };
  const act = {
    ask,
    more: (product) => start(product, { words: "", kind: "auto", chosen: {}, ranges: {} }),
    but: (product, words) => start(product, { words, kind: "composed" }),
  };
  const opened = new Map([...place.content.querySelectorAll("details > summary[data-focus]")].map((n) => [n.dataset.focus, n.parentNode.open]));
  const filters = data.facets.length || data.numbers.length ? facets(data, ask) : null;
  fill(place.content,
    data.suggestions.length ? suggestions(data, ask) : null,
    h("div", { class: filters ? "columns" : "" },
      filters,
      h("section", { "aria-label": texts.results, class: "found" },
        head(data, ask),
        data.imagined ? imagined(data) : null,
        data.notes.map((note) => h("p", { class: "soft small note" }, note)),
        data.hits.length
          ? h("ul", { class: "grid" }, data.hits.map((hit, n) => card(hit, n, data, view, act, place)))
          : data.asked_something && nothing(data, ask),
        pager(data, ask),
      )),
  );
  for (const n of place.content.querySelectorAll("details > summary[data-focus]")) if (opened.has(n.dataset.focus)) n.parentNode.open = opened.get(n.dataset.focus);
  place.dataset.ready = data.stamp;
}

function suggestions(data, ask) {
  return h("div", { class: "suggestions" },
    h("h2", { class: "soft small" }, data.texts.try_these),
    h("ul", {}, data.suggestions.map((words) =>
      h("li", {}, h("button", { type: "button", class: "button tiny", onclick: () => ask({ words }) }, words)))));
}

function head(data, ask) {
  const { texts } = data;
  if (!data.asked_something) return data.hits.length ? h("h2", {}, texts.fresh) : null;
  const filtered = Object.keys(data.asked.chosen).length || Object.keys(data.asked.ranges).length;
  return h("div", { class: "head" },
    h("p", { class: "soft small", role: "status" }, data.hits.length ? say(texts.ranked, { n: number(data.found, 0, data.language), ms: number(data.took_ms, 0, data.language), kind: texts[`kind_${data.kind}`] }) : ""),
    h("div", { class: "actions" },
      filtered ? h("button", { type: "button", class: "button tiny quiet", onclick: () => ask({ chosen: {}, ranges: {} }) }, icon("close"), texts.clear_filters) : null,
      showMenu(data, ask)));
}

function imagined(data) {
  const { texts, imagined } = data;
  return h("p", { class: "imagined soft small" },
    h("img", { src: `/drawn/${imagined.sha256}`, alt: "" }),
    h("span", {}, texts.imagined, " ", h("a", { href: imagined.href, "data-focus": "draw" }, texts.more_drawn)));
}

function chosen(hit, data) {
  if (!data.names.length) return hit.attributes.filter(([, value]) => value.length < 25).slice(0, 4).map(([, value]) => value);
  const held = Object.fromEntries(hit.attributes);
  return data.show.map((name) => held[name]).filter(Boolean);
}

function showMenu(data, ask) {
  const { texts } = data;
  if (!data.names.length) return null;
  const toggle = (name) => {
    const now = data.show.includes(name) ? data.show.filter((n) => n !== name) : [...data.show, name];
    ask({ show: now, page: data.asked.page });
  };
  return h("details", { class: "menu", "data-menu": true },
    h("summary", { class: "button tiny quiet", "data-focus": "show" }, texts.show),
    h("fieldset", { class: "panel" }, h("legend", { class: "visually-hidden" }, texts.show_label),
      data.names.map((name) => h("label", { class: "pick" }, h("input", { type: "checkbox", checked: data.show.includes(name), "data-focus": `show-${name}`, onchange: () => toggle(name) }), h("span", { class: "value" }, name)))));
}

function nothing(data, ask) {
  const { texts, asked } = data;
  const filtered = Object.keys(asked.chosen).length || Object.keys(asked.ranges).length;
  return h("div", { class: "nothing" },
    h("h2", {}, texts.nothing),
    h("p", { class: "soft" }, filtered ? texts.nothing_filtered : texts.nothing_hint),
    h("div", { class: "actions" },
      filtered ? h("button", { type: "button", class: "button main", onclick: () => ask({ chosen: {}, ranges: {} }) }, texts.clear_filters) : null,
      asked.kind !== "auto" ? h("button", { type: "button", class: "button", onclick: () => ask({ kind: "auto" }) }, texts.any_kind) : null,
      data.ideas.map((words) => h("button", { type: "button", class: "button", onclick: () => ask({ words, picture: "", url: "", like: 0, chosen: {}, ranges: {} }) }, words))));
}

function card(hit, n, data, view, act, place) {
  const { texts } = data;
  const whyId = `why-${hit.id}`;
  const open = view.why.has(hit.id);
  const bars = h("div", { id: whyId, class: "why", hidden: !open }, hit.probes.map((probe) =>
    h("div", { class: "probe" },
      h("span", {}, texts[`probe_${probe.name}`] || probe.name),
      h("span", { class: "value" }, probe.value.toFixed(3)),
      h("span", { class: "bar" }, h("span", { style: { width: `${Math.max(2, 100 * probe.share)}%` } })))));
  const toggle = hit.probes.length ? h("button", {
    type: "button", class: "button tiny quiet", "aria-expanded": String(open), "aria-controls": whyId, "data-focus": `why-${hit.id}`,
    onclick: (e) => {
      bars.hidden = !bars.hidden;
      e.currentTarget.setAttribute("aria-expanded", String(!bars.hidden));
      if (bars.hidden) view.why.delete(hit.id); else view.why.add(hit.id);
    },
  }, icon("bars"), texts.why) : null;
  return h("li", { class: "card" },
    h("button", { type: "button", class: "frame", "data-focus": `open-${hit.id}`, "aria-label": say(texts.look_at, { title: hit.title.slice(0, 120) }), onclick: () => detail(hit, data, act, place) },
      shownPicture(hit, hit.picture, 512, texts, n >= 8)),
    h("div", { class: "words" },
      h("h3", { class: "title", lang: hit.lang, title: hit.title }, hit.title),
      h("p", { class: "soft small attributes" }, chosen(hit, data).join(" · ")),
      hit.score === null ? null : h("p", { class: "score soft small" },
        h("span", { class: "bar", "aria-hidden": "true" }, h("span", { style: { width: `${Math.max(2, 100 * hit.share)}%` } })),
        h("span", {}, h("span", { class: "visually-hidden" }, texts.score + " "), hit.score.toFixed(4)))),
    h("div", { class: "below" },
      h("button", { type: "button", class: "button tiny quiet", "data-focus": `like-${hit.id}`, onclick: () => act.more(hit) }, icon("like"), texts.more_like),
      toggle),
    hit.pictures.length ? but(hit, texts, act) : null,
    bars);
}

function but(hit, texts, act) {
  const wish = h("input", { type: "text", maxlength: 2000, autocomplete: "off", placeholder: texts.but_hint, "aria-label": say(texts.but_label, { title: hit.title.slice(0, 120) }), "data-focus": `wish-${hit.id}` });
  const send = (e) => { e.preventDefault(); if (wish.value.trim()) act.but(hit, wish.value.trim()); };
  return h("details", { class: "but" },
    h("summary", { class: "soft small", "data-focus": `but-${hit.id}` }, texts.but),
    h("form", { onsubmit: send }, wish));
}

function detail(hit, data, act, place) {
  const { texts } = data;
  const box = dialog(place, hit.title.slice(0, 120), h("div", {},
    h("div", { class: "sheet-head" }, h("h2", { lang: hit.lang }, hit.title),
      h("button", { type: "button", class: "button quiet", "aria-label": texts.close, onclick: () => box.close() }, icon("close"))),
    h("div", { class: "sheet-body detail" },
      h("div", { class: "pictures" }, hit.pictures.length
        ? hit.pictures.map((_, at) => h("img", { src: pictureOf(hit, at, 1024), alt: say(texts.picture_of, { n: at + 1, of: hit.pictures.length }), loading: "lazy" }))
        : shownPicture(hit, 0, 512, texts)),
      h("div", {},
        hit.description ? h("p", { lang: hit.lang }, hit.description) : null,
        h("dl", {}, hit.attributes.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]),
          h("dt", {}, texts.number), h("dd", {}, String(hit.id)),
          hit.source_key ? [h("dt", {}, texts.source_key), h("dd", {}, hit.source_key)] : null),
        h("div", { class: "actions" },
          h("button", { type: "button", class: "button main", onclick: () => { box.close(); act.more(hit); } }, icon("like"), texts.more_like),
          h("a", { class: "button", href: hit.href }, icon("edit"), texts.edit_it))))));
}

function facets(data, ask) {
  const { texts, asked } = data;
  const toggle = (name, value) => {
    const now = asked.chosen[name] || [];
    const then = now.includes(value) ? now.filter((v) => v !== value) : [...now, value];
    const chosen = { ...asked.chosen, [name]: then };
    if (!then.length) delete chosen[name];
    ask({ chosen });
  };
  const one = (facet, value, count) => {
    const on = (asked.chosen[facet.name] || []).includes(value);
    return h("label", { class: "pick" },
      h("input", { type: "checkbox", checked: on, "data-focus": `${facet.name}:${value}`, onchange: () => toggle(facet.name, value) }),
      facet.swatches && CSS.supports("color", value) ? h("span", { class: "swatch", "aria-hidden": "true", style: { background: value } }) : null,
      h("span", { class: "value" }, value), h("span", { class: "soft small" }, number(count, 0, data.language)));
  };
  const group = (facet, at) => {
    const few = facet.values.slice(0, 7), rest = facet.values.slice(7);
    const chosen = (asked.chosen[facet.name] || []).length;
    return h("details", { open: at < 3 || chosen > 0 },
      h("summary", { "data-focus": `facet-${facet.name}` }, facet.name, chosen ? h("span", { class: "count" }, String(chosen)) : null),
      h("fieldset", {}, h("legend", { class: "visually-hidden" }, facet.name), few.map(([v, c]) => one(facet, v, c)),
        rest.length ? h("details", { class: "rest", open: rest.some(([v]) => (asked.chosen[facet.name] || []).includes(v)) },
          h("summary", { class: "soft small" }, say(texts.more_values, { n: rest.length })), rest.map(([v, c]) => one(facet, v, c))) : null));
  };
  const range = (name) => {
    const [least, most] = asked.ranges[name] || [null, null];
    const set = () => {
      const read = (node) => (node.value.trim() === "" || !Number.isFinite(Number(node.value)) ? null : Number(node.value));
      const ends = [read(low), read(high)];
      const ranges = { ...asked.ranges, [name]: ends };
      if (ends[0] === null && ends[1] === null) delete ranges[name];
      ask({ ranges });
    };
    const low = h("input", { type: "number", step: "any", value: least ?? "", placeholder: texts.least, "aria-label": `${name}: ${texts.least}`, "data-focus": `low-${name}`, onchange: set });
    const high = h("input", { type: "number", step: "any", value: most ?? "", placeholder: texts.most, "aria-label": `${name}: ${texts.most}`, "data-focus": `high-${name}`, onchange: set });
    return h("details", { open: true }, h("summary", { "data-focus": `range-${name}` }, name), h("div", { class: "range" }, low, h("span", { "aria-hidden": "true" }, "–"), high));
  };
  const count = Object.values(asked.chosen).flat().length + Object.keys(asked.ranges).length;
  const inside = h("div", { class: "inside" }, data.facets.map(group), data.numbers.map(range));
  const wide = matchMedia("(min-width: 900px)").matches;
  return h("aside", { "aria-label": texts.filters },
    h("details", { class: "all", open: wide || data.filters_open || false },
      h("summary", { "data-focus": "filters" }, icon("filter"), texts.filters, count ? h("span", { class: "count" }, String(count)) : null), inside));
}

function pager(data, ask) {
  const { texts, asked } = data;
  if (!data.hits.length || (asked.page === 1 && !data.more)) return null;
  const turn = (page) => { ask({ page }); document.querySelector("[data-testid=stMain]")?.scrollTo({ top: 0 }); };
  return h("nav", { class: "pager", "aria-label": texts.paging },
    h("button", { type: "button", class: "button", disabled: asked.page === 1, "data-focus": "previous", onclick: () => turn(asked.page - 1) }, icon("left"), texts.previous),
    h("span", { class: "soft" }, say(texts.page_of, { page: asked.page, pages: data.pages })),
    h("button", { type: "button", class: "button", disabled: !data.more, "data-focus": "next", onclick: () => turn(asked.page + 1) }, texts.next, icon("right")));
}
