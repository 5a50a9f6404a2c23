export default function ({ data, parentElement, setTriggerValue }) {
  const place = root(parentElement);
  const view = (place.view ||= {});
  view.data = data;
  view.tell = setTriggerValue;
  const { texts } = data;
  const section = (name, shown, make, wide) => keep(place, name, [shown, texts.title], () =>
    h("section", { class: `panel ${wide ? "wide" : ""}`, "aria-label": texts[name] }, h("h2", {}, texts[name]), make()));
  view.grid ||= h("div", { class: "panels" });
  fill(view.grid,
    section("health", data.health, () => health(view)),
    section("queue", [data.index.waiting, data.index.leased, data.index.parked, data.index.parked_products], () => queue(view)),
    section("bundles", [data.models, data.busy], () => bundles(view, place), true),
    section("index", [data.index.products, data.index.pictures, data.index.catalog_products, data.index.removed, data.index.fits_settings, data.busy, data.last_audit], () => index(view, place)),
    section("tasks", data.tasks, () => tasks(view)),
    section("traffic", data.traffic, () => traffic(view), true));
  fill(place.content,
    keep(place, "top", texts.title, () => h("h1", {}, texts.title)),
    keep(place, "notice", data.notice, () => h("div", { role: "status" }, data.notice ? h("p", { class: "notice" }, icon("alert"), h("span", {}, data.notice)) : null)),
    view.grid);
}

function facts(rows) {
  return h("dl", { class: "facts" }, rows.filter(([, v]) => v !== undefined).map(([name, value, tone]) => h("div", {}, h("dt", {}, name), h("dd", { class: tone || "" }, value))));
}

function health(view) {
  const { data } = view, { texts } = data;
  return h("ul", { class: "checks" }, data.health.map((check) =>
    h("li", {}, badge(check.ok ? "done" : "failed", { done: texts[`check_${check.name}`] || check.name, failed: texts[`check_${check.name}`] || check.name }),
      h("span", { class: "soft small" }, check.ok ? check.said : [check.error, check.hint].filter(Boolean).join(" · ")),
      h("span", { class: "visually-hidden" }, check.ok ? texts.well : texts.unwell))));
}

function queue(view) {
  const { data } = view, { texts, index } = data;
  const parked = index.parked_products;
  return h("div", { class: "stack" },
    facts([[texts.waiting, number(index.waiting + index.leased, 0, data.language)], [texts.oldest, say(texts.seconds, { n: number(index.oldest_s, 0, data.language) })], [texts.parked, number(index.parked, 0, data.language), index.parked ? "bad" : ""]]),
    parked.length ? h("div", { class: "scroll" }, h("table", {},
      h("thead", {}, h("tr", {}, [texts.product, texts.reason].map((t) => h("th", { scope: "col" }, t)))),
      h("tbody", {}, parked.slice(0, 20).map((p) => h("tr", {},
        h("td", {}, h("a", { href: `/catalogue?lang=${data.language}&product=${p.product_id}` }, p.title || `#${p.product_id}`)),
        h("td", { class: "small" }, p.error)))))) : h("p", { class: "soft small" }, texts.none_parked),
    parked.length ? h("div", {}, h("button", { type: "button", class: "button tiny", onclick: () => view.tell("again", parked.map((p) => p.product_id)) }, texts.retry)) : null);
}

function bundles(view, place) {
  const { data } = view, { texts } = data;
  const purposes = Object.entries(texts.purposes);
  return h("ul", { class: "bundles" }, data.models.map((model) => {
    const purpose = choice(purposes, "cross-modal", { "aria-label": say(texts.purpose_of, { name: model.name }) });
    return h("li", {},
      h("div", {}, h("strong", {}, model.name), " ", model.used_for.map((p) => h("span", { class: "tag" }, texts.purposes[p] || p)),
        h("p", { class: "soft small" }, model.error ? h("span", { class: "bad" }, model.error) : model.about),
        model.error ? null : h("p", { class: "soft small" }, [model.towers.includes("reranker") ? texts.reranker : say(texts.dim, { n: model.dim }), model.space, model.licence].filter(Boolean).join(" · "))),
      model.error || model.towers.includes("reranker") ? null : h("div", { class: "actions" }, purpose, h("button", { type: "button", class: "button", disabled: data.busy, onclick: () =>
        confirm(place, { title: say(texts.use_title, { name: model.name }), text: texts.use_text, yes: texts.use, no: texts.cancel }, () => view.tell("use", { name: model.name, purpose: purpose.value })) }, texts.use)));
  }));
}

function index(view, place) {
  const { data } = view, { texts, index } = data;
  const n = (v) => number(v, 0, data.language);
  const audit = data.last_audit;
  return h("div", { class: "stack" },
    facts([[texts.in_catalogue, n(index.catalog_products)], [texts.in_index, n(index.products), index.products === index.catalog_products ? "" : "warn"], [texts.pictures, n(index.pictures)], [texts.removed, n(index.removed)]]),
    index.fits_settings ? null : h("p", { class: "notice" }, icon("alert"), h("span", {}, texts.unfit)),
    audit ? h("p", { class: `notice ${audit.clean ? "good" : ""}` }, icon(audit.clean ? "check" : "alert"),
      h("span", {}, audit.clean ? say(texts.agree, { n: n(audit.products) }) : say(texts.differ, { missing: n(audit.missing), stale: n(audit.stale), orphaned: n(audit.orphaned) }), audit.announced ? " " + say(texts.announced, { n: n(audit.announced) }) : "")) : null,
    h("div", { class: "actions" },
      h("button", { type: "button", class: "button", disabled: data.busy, onclick: () => view.tell("audit", { repair: false }) }, texts.audit),
      h("button", { type: "button", class: "button", disabled: data.busy, onclick: () => view.tell("audit", { repair: true }) }, texts.repair),
      h("button", { type: "button", class: "button", disabled: data.busy, onclick: () => confirm(place, { title: texts.rebuild, text: texts.rebuild_text, yes: texts.rebuild, no: texts.cancel }, () => view.tell("rebuild", true)) }, texts.rebuild)));
}

function tasks(view) {
  const { data } = view, { texts } = data;
  if (!data.tasks.length) return h("p", { class: "soft small" }, texts.no_tasks);
  return h("ul", { class: "tasks", "aria-live": "polite" }, data.tasks.map((task) => h("li", {},
    h("div", { class: "task" }, h("span", {}, texts[`task_${task.kind}`] || task.kind, task.about ? ` · ${task.about}` : ""), badge(task.state, texts)),
    ["running", "waiting"].includes(task.state) ? h("progress", { max: 1, ...(task.total ? { value: task.done / task.total } : {}), "aria-label": texts[`task_${task.kind}`] }) : null,
    task.state === "running" && task.total ? h("p", { class: "soft small" }, say(texts.so_far, { done: number(task.done, 0, data.language), total: number(task.total, 0, data.language) })) : null,
    task.error ? h("p", { class: "small bad" }, [task.error, task.hint].filter(Boolean).join(" · ")) : null,
    h("p", { class: "soft small" }, when(task.ended || task.created, data.language)))));
}

function traffic(view) {
  const { data } = view, { texts, language } = data;
  const { searches, pictures, others, p50, p95, queue } = data.traffic;
  return h("div", { class: "plots" },
    lines({ label: texts.per_minute, unit: "", language, empty: texts.too_early, series: [{ name: texts.searches, tone: "first", points: searches }, { name: texts.seen, tone: "second", points: pictures }, { name: texts.others, tone: "third", points: others }] }),
    lines({ label: texts.latency, unit: "ms", language, empty: texts.too_early, series: [{ name: texts.p50, tone: "first", points: p50 }, { name: texts.p95, tone: "second", points: p95 }] }),
    lines({ label: texts.queue_length, unit: "", language, empty: texts.too_early, series: [{ name: texts.changes, tone: "third", points: queue }] }));
}
