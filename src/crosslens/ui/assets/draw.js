const KEPT = "crosslens-drawn", MOST_KEPT = 24;

export default function ({ data, parentElement, setTriggerValue }) {
  const place = root(parentElement);
  const view = (place.view ||= { place });
  view.tell = setTriggerValue;
  view.fresh = !view.data || view.data.acts !== data.acts || JSON.stringify(view.data.wanted) !== JSON.stringify(data.wanted);
  view.data = data;
  if (view.fresh) view.begun = null;
  if (data.made) remember(data);
  const before = view.form;
  view.form = keep(place, "form", [data.language, data.about, data.most], () => form(view));
  if (view.fresh || view.form !== before) view.form.set(data.wanted);
  draw(view);
}

// Shows the page as it is now; called by what happens here alone, too.
function draw(view) {
  const { data, place } = view;
  const busy = view.begun || (data.task && ["waiting", "running"].includes(data.task.state) ? data.task : null);
  const bare = !data.wanted.q && !data.made && !busy;
  place.classList.toggle("bare", bare);
  view.form.wait(Boolean(busy));
  fill(place.content,
    h("h1", {}, data.texts.heading),
    view.form,
    keep(place, "notice", [data.notice, data.gone, data.task && data.task.state, busy], () => notice(view, busy)),
    busy ? keep(place, "busy", [data.language, busy.n], () => drawing(view, busy)) : null,
    !busy && data.made ? keep(place, "made", [data.language, data.made, data.here], () => made(view)) : null,
    bare && data.ideas.length && !data.about.error ? keep(place, "ideas", [data.ideas, data.language], () => ideas(view)) : null,
    recent(view));
  if (busy) place.pieces.busy.node.move(busy);
  place.dataset.ready = busy ? "" : data.here;
}

function form(view) {
  const { data } = view, { texts, about, language } = data;
  const prompt = h("textarea", { rows: 1, name: "q", spellcheck: "false", enterkeyhint: "go", placeholder: texts.prompt, "aria-label": texts.prompt_label, "aria-describedby": "prompt-told", "data-focus": "prompt" });
  const counted = h("span", { class: "counted soft small", "aria-live": "polite" });
  const negative = h("input", { type: "text", name: "not", autocomplete: "off", spellcheck: "false", "data-focus": "negative" });
  const told = h("div", { role: "alert", id: "prompt-told", class: "told" });
  const go = h("button", { type: "submit", class: "button main go", disabled: Boolean(about.error) }, icon("brush"), texts.go);
  const whole = (most) => Array.from({ length: most }, (_, n) => [String(n + 1), String(n + 1)]);
  const n = choice(whole(data.most), String(data.n), { "data-focus": "n" });
  const sizes = [["", say(texts.usual, { n: about.native })], ...about.sizes.filter((s) => s !== about.native).map((s) => [String(s), say(texts.px, { n: s })])];
  const size = choice(sizes, "", { "data-focus": "size" });
  const typed = (most, step, usual, focus) => h("input", { type: "number", min: 0, max: most, step, inputmode: "decimal", placeholder: usual, "data-focus": focus });
  const steps = typed(150, 1, about.steps ? say(texts.usual, { n: about.steps }) : "", "steps");
  const guidance = typed(30, "any", say(texts.usual, { n: about.guidance }), "guidance");
  const seed = typed(4294967295, 1, texts.any_seed, "seed");
  const any = h("button", { type: "button", class: "button quiet", title: texts.no_seed, "aria-label": texts.no_seed, onclick: () => { seed.value = ""; changed(); seed.focus(); } }, icon("dice"));
  const named = about.generators.map((name) => [name, name]);
  if (about.generators.length && !about.generators.includes(data.wanted.generator || about.generators[0])) named.unshift([data.wanted.generator, data.wanted.generator]);
  const generator = choice(named, data.wanted.generator || about.generators[0], { "data-focus": "generator", onchange: () => view.tell("go", { ...view.data.wanted, ...read(), generator: generator.value, size: "", steps: "", guidance: "" }) });
  const settings = h("details", { class: "settings" },
    h("summary", { "data-focus": "settings" }, icon("filter"), texts.settings, h("span", { class: "set soft small" })),
    h("div", { class: "fields" },
      h("div", { class: "wide" }, field(texts.negative, negative)),
      field(texts.size, size), field(texts.steps, steps), hinted(texts.guidance, guidance, texts.guidance_hint),
      hinted(texts.seed, seed, texts.seed_hint, any),
      about.generators.length > 1 ? field(texts.generator, generator) : null));
  const read = () => ({ q: prompt.value.trim(), not: negative.value.trim(), n: n.value, size: size.value, steps: steps.value, guidance: guidance.value, seed: seed.value, generator: view.data.wanted.generator || "" });
  const refuse = (why) => told.replaceChildren(...(why ? [h("p", { class: "notice" }, icon("alert"), h("span", {}, why))] : []));
  const grow = () => { prompt.style.height = "auto"; prompt.style.height = `${Math.min(prompt.scrollHeight + 2, 260)}px`; };
  const changed = () => {
    const length = prompt.value.trim().length, over = length > view.data.most_words;
    counted.textContent = length > view.data.most_words * .8 ? say(texts.counted, { n: number(length, 0, language), most: number(view.data.most_words, 0, language) }) : "";
    counted.classList.toggle("over", over);
    const set = [[texts.negative, negative], [texts.size, size], [texts.steps, steps], [texts.guidance, guidance], [texts.seed, seed]].filter(([, f]) => f.value).map(([name, f]) => `${name} ${f.value.slice(0, 24)}`);
    settings.querySelector(".set").textContent = settings.open ? "" : set.join(" · ");
    grow();
    refuse("");
  };
  const wrong = (wish) => {
    if (!wish.q) return [texts.no_prompt, prompt];
    for (const [words, box] of [[prompt.value, prompt], [negative.value, negative]])
      if (words.trim().length > view.data.most_words) return [say(texts.too_long, { n: number(words.trim().length, 0, language), most: number(view.data.most_words, 0, language) }), box];
    for (const [name, box, least, most, whole] of [[texts.steps, steps, 1, 150, true], [texts.guidance, guidance, 0, 30, false], [texts.seed, seed, 0, 4294967295, true]]) {
      const value = Number(box.value);
      if (!box.validity.badInput && box.value === "") continue;
      if (box.validity.badInput || value < least || value > most || (whole && !Number.isInteger(value)))
        return [say(whole ? texts.not_whole : texts.not_number, { name, least, most }), box];
    }
    return null;
  };
  const node = h("form", { novalidate: true, onsubmit: (e) => {
    e.preventDefault();
    if (go.disabled) return;
    const wish = read(), why = wrong(wish);
    refuse(why && why[0]);
    if (why) { if (why[1] !== prompt) settings.open = true; why[1].focus(); return; }
    view.ask(wish);
  } },
    h("div", { class: "line" }, prompt, h("span", { class: "many" }, h("label", { for: "n", class: "visually-hidden" }, texts.n), n, h("span", { class: "soft small", "aria-hidden": "true" }, texts.n)), go),
    told,
    h("div", { class: "under" }, settings, h("span", { class: "soft small hint" }, counted, h("span", { class: "about" }, aboutOf(data)))));
  n.id = "n";
  prompt.addEventListener("keydown", (e) => { if (e.key === "Enter" && !e.shiftKey && !e.isComposing) { e.preventDefault(); node.requestSubmit(); } });
  node.addEventListener("input", changed);
  settings.addEventListener("toggle", changed);
  view.ask = (wish) => { view.begun = { id: "", state: "waiting", done: 0, total: 0, n: Number(wish.n) || 1 }; view.tell("draw", wish); draw(view); };
  node.read = read;
  node.wait = (busy) => { go.disabled = busy || Boolean(about.error); node.classList.toggle("busy", busy); };
  node.set = (wanted) => {
    for (const [box, name] of [[prompt, "q"], [negative, "not"], [size, "size"], [steps, "steps"], [guidance, "guidance"], [seed, "seed"]]) box.value = wanted[name] || "";
    n.value = wanted.n || String(view.data.n);
    if (size.selectedIndex < 0) size.value = "";
    changed();
    requestAnimationFrame(grow);
  };
  return node;
}

// A field whose hint is no part of its name.
function hinted(name, input, hint, ...beside) {
  input.id = input.dataset.focus;
  input.setAttribute("aria-describedby", `${input.id}-hint`);
  return h("div", { class: "field" }, h("label", { for: input.id }, name), h("span", { class: "beside" }, input, beside), h("small", { class: "soft", id: `${input.id}-hint` }, hint));
}

function aboutOf(data) {
  const { texts, about } = data;
  if (about.error) return null;
  const spoken = about.languages.map((l) => texts[`lang_${l}`] || l).join(data.language === "zh" ? "、" : ", ");
  return [about.generators.length > 1 ? null : about.name, about.native ? say(texts.px, { n: about.native }) : null, spoken ? say(texts.reads, { languages: spoken }) : null].filter(Boolean).join(" · ");
}

function notice(view, busy) {
  const { data } = view, { texts } = data;
  const told = (text, detail, ...more) => h("p", { class: "notice" }, icon("alert"), h("span", {}, h("strong", {}, text), detail ? h("span", { class: "detail soft small" }, detail) : null), more);
  const box = h("div", { role: "alert", class: "told" });
  if (busy) return box;
  if (data.about.error) box.append(told(texts.unloaded, data.about.error, others(view)));
  else if (data.notice) box.append(told(data.notice.text, data.notice.detail));
  else if (data.task && data.task.state === "cancelled") box.append(told(texts.stopped));
  else if (data.gone) box.append(told(texts.gone, texts.gone_hint,
    h("button", { type: "button", class: "button tiny", "data-focus": "again", onclick: () => view.ask({ ...data.wanted, seed: data.wanted.first || "" }) }, icon("again"), texts.again)));
  return box;
}

// Other generators to draw with, where one cannot.
function others(view) {
  const { wanted, about, texts } = view.data, now = wanted.generator || about.name;
  return about.generators.filter((name) => name !== now).slice(0, 2).map((name) => h("button", { type: "button", class: "button tiny", "data-focus": `use-${name}`, onclick: () => view.tell("go", { ...wanted, ...view.form.read(), generator: name, size: "", steps: "", guidance: "" }) }, say(texts.use_other, { name })));
}

function drawing(view, busy) {
  const { texts } = view.data;
  const said = h("span", {}), bar = h("progress", { max: 1, "aria-label": texts.drawing });
  const stop = h("button", { type: "button", class: "button tiny", "data-focus": "stop", onclick: () => { stop.disabled = true; view.tell("stop", view.data.task.id); } }, icon("close"), texts.stop);
  const node = h("section", { "aria-label": texts.drawing, class: "drawing" },
    h("div", { class: "row" }, h("strong", { role: "status" }, said), stop), bar,
    h("ul", { class: gridOf(busy.n), "aria-hidden": "true" }, Array.from({ length: busy.n }, () => h("li", {}, h("span", { class: "frame empty" })))));
  node.move = (now) => {
    const at = now.total ? Math.min(now.n, Math.floor((now.done / now.total) * now.n) + 1) : 1;
    said.textContent = now.state === "waiting" && now.id ? texts.in_queue : say(texts.picture_n, { n: at, of: now.n });
    if (now.total) bar.value = now.done / now.total; else bar.removeAttribute("value");
    stop.disabled = !now.id;
    [...node.querySelectorAll(".frame")].forEach((f, n) => f.classList.toggle("now", n === at - 1));
  };
  return node;
}

function made(view) {
  const { data } = view, { texts, made } = data;
  const facts = say(texts.facts, { n: made.pictures.length, generator: made.generator, s: number(made.seconds, 1, data.language) });
  return h("section", { "aria-label": texts.drawn, class: "made" },
    h("div", { class: "head" },
      h("div", {}, h("h2", { lang: made.lang, title: made.prompt }, made.prompt), h("p", { class: "soft small", role: "status" }, facts)),
      h("div", { class: "actions" },
        copier(view, texts.copy_prompt, () => made.prompt), copier(view, texts.copy_link, () => location.href, "link"),
        made.pictures.length > 1 ? h("a", { class: "button tiny", href: uses("draft", made.pictures, data), "data-focus": "draft-all" }, icon("plus"), say(texts.draft_all, { n: made.pictures.length })) : null)),
    h("ul", { class: gridOf(made.pictures.length) }, made.pictures.map((one, n) => card(view, one, n))));
}

function gridOf(n) {
  return `grid ${n > 4 ? "many" : `of-${n}`}`;
}

function card(view, one, n) {
  const { data } = view, { texts, made } = data;
  const seeded = one.seed !== null;
  return h("li", { class: "card" },
    h("button", { type: "button", class: "frame", "data-focus": `open-${n}`, "aria-label": say(texts.look_at, { n: n + 1, seed: one.seed ?? "–" }), onclick: () => detail(view, one) },
      h("img", { src: `/drawn/${one.sha256}`, alt: "", decoding: "async", width: one.size, height: one.size })),
    seeded ? h("button", { type: "button", class: "button tiny quiet seeded", "data-focus": `seed-${n}`, title: say(texts.keep_seed, { seed: one.seed }), "aria-label": say(texts.keep_seed, { seed: one.seed }), onclick: () => keepSeed(view, one.seed) }, icon("dice"), h("span", {}, say(texts.seed_is, { seed: one.seed }))) : null,
    h("div", { class: "below" }, actions(view, one, n, made)));
}

function actions(view, one, n, made) {
  const { data } = view, { texts } = data;
  return [
    h("a", { class: "button tiny quiet", href: `/drawn/${one.sha256}`, download: fileName(made.prompt, one), "data-focus": `save-${n}` }, icon("download"), texts.download),
    h("a", { class: "button tiny quiet", href: uses("search", [one], data), "data-focus": `find-${n}` }, icon("search"), texts.find),
    h("a", { class: "button tiny quiet", href: uses("draft", [one], data), "data-focus": `draft-${n}` }, icon("plus"), texts.draft),
    h("button", { type: "button", class: "button tiny quiet", "data-focus": `another-${n}`, onclick: () => view.ask({ ...data.wanted, n: "1", seed: "" }) }, icon("again"), texts.another),
  ];
}

function keepSeed(view, seed) {
  const box = view.form.querySelector("#seed");
  view.form.querySelector(".settings").open = true;
  box.value = seed;
  box.dispatchEvent(new Event("input", { bubbles: true }));
  box.focus();
}

function detail(view, one) {
  const { data, place } = view, { texts, made, wanted } = data;
  const facts = [[texts.generator, made.generator], [texts.seed, one.seed], [texts.size, say(texts.px, { n: one.size })], [texts.negative, wanted.not], [texts.steps, wanted.steps || data.about.steps || null], [texts.guidance, wanted.guidance ?? data.about.guidance]];
  const box = dialog(place, made.prompt.slice(0, 120), h("div", {},
    h("div", { class: "sheet-head" }, h("h2", { lang: made.lang }, made.prompt),
      h("button", { type: "button", class: "button quiet", "aria-label": texts.close, onclick: () => box.close() }, icon("close"))),
    h("div", { class: "sheet-body detail" },
      h("img", { src: `/drawn/${one.sha256}`, alt: say(texts.drawn_from, { prompt: made.prompt.slice(0, 200) }) }),
      h("div", {},
        h("dl", {}, facts.filter(([, v]) => v !== null && v !== undefined && v !== "").map(([name, value]) => [h("dt", {}, name), h("dd", {}, String(value))])),
        h("div", { class: "actions" }, actions(view, one, "sheet", made))))));
  box.addEventListener("click", (e) => { if (e.target.closest("[data-focus=another-sheet]")) box.close(); });
}

function uses(how, pictures, data) {
  const said = new URLSearchParams(pictures.map((one) => ["picture", one.sha256]));
  if (how === "draft") said.set("title", data.made.prompt);
  said.set("lang", data.language);
  return `/use/${how}?${said}`;
}

function fileName(prompt, one) {
  const words = prompt.normalize("NFC").replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "").slice(0, 60) || "drawn";
  return `${words}-${one.seed ?? one.sha256.slice(0, 8)}.png`;
}

function copier(view, name, text, glyph) {
  const label = h("span", { "aria-live": "polite" }, name);
  return h("button", { type: "button", class: "button tiny quiet", onclick: async () => {
    await copy(text(), view.place);
    label.textContent = view.data.texts.copied;
    setTimeout(() => { label.textContent = name; }, 1600);
  } }, icon(glyph || "copy"), label);
}

// The clipboard is open to pages on this machine or behind TLS only; elsewhere a selection is copied.
async function copy(text, place) {
  try { await navigator.clipboard.writeText(text); return; } catch { /* the older way */ }
  const box = h("textarea", { class: "visually-hidden", "aria-hidden": "true", tabindex: "-1" });
  box.value = text;
  place.append(box);
  box.select();
  document.execCommand("copy");
  box.remove();
}

function ideas(view) {
  return h("div", { class: "ideas" },
    h("h2", { class: "soft small" }, view.data.texts.try_these),
    h("ul", {}, view.data.ideas.map((words) => h("li", {}, h("button", { type: "button", class: "button tiny", onclick: () => view.ask({ ...view.form.read(), q: words }) }, words)))));
}

// What was drawn in this tab is remembered by the tab alone.
function remembered() {
  try { return JSON.parse(sessionStorage.getItem(KEPT)) || []; } catch { return []; }
}

function remember(data) {
  const others = remembered().filter((one) => one.wanted.task !== data.wanted.task);
  if (others.length !== remembered().length) return;
  const now = { wanted: data.wanted, prompt: data.made.prompt, lang: data.made.lang, pictures: data.made.pictures.map((one) => one.sha256) };
  keepAll([now, ...others].slice(0, MOST_KEPT));
}

function keepAll(list) {
  try { sessionStorage.setItem(KEPT, JSON.stringify(list)); } catch { /* a tab that keeps nothing */ }
}

function recent(view) {
  const { data, place } = view, { texts } = data;
  const list = remembered().filter((one) => one.wanted.task !== data.wanted.task);
  if (!list.length) return null;
  const href = (one) => `/draw?${new URLSearchParams({ ...one.wanted, lang: data.language })}`;
  const open = (e, one) => { if (!(e.metaKey || e.ctrlKey || e.shiftKey)) { e.preventDefault(); view.tell("go", one.wanted); document.querySelector("[data-testid=stMain]")?.scrollTo({ top: 0 }); } };
  return keep(place, "recent", [list, data.language], () => h("section", { class: "recent", "aria-label": texts.recent },
    h("div", { class: "row" }, h("h2", {}, texts.recent), h("button", { type: "button", class: "button tiny quiet", "data-focus": "forget", onclick: () => { keepAll([]); draw(view); } }, icon("trash"), texts.forget)),
    h("ul", {}, list.map((one, n) => h("li", {}, h("a", { href: href(one), "data-focus": `recent-${n}`, "aria-label": say(texts.recent_one, { prompt: one.prompt.slice(0, 80), n: one.pictures.length }), onclick: (e) => open(e, one) },
      h("span", { class: `frame pile of-${Math.min(one.pictures.length, 4)}` }, one.pictures.slice(0, 4).map((sha) => h("img", { src: `/drawn/${sha}`, alt: "", loading: "lazy", onerror: (e) => e.target.remove() }))),
      h("span", { class: "small soft", lang: one.lang }, one.prompt)))))));
}
