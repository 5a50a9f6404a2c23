const GRADES = [3, 2, 1, 0];

export default function ({ data, parentElement, setTriggerValue }) {
  const place = root(parentElement);
  const view = (place.view ||= { saving: Promise.resolve() });
  view.data = data;
  view.tell = setTriggerValue;
  const about = JSON.stringify([data.set, data.words, data.candidates.map((c) => [c.key, c.grade])]);
  if (view.about !== about) {
    view.about = about;
    view.grades = Object.fromEntries(data.candidates.filter((c) => c.grade !== null).map((c) => [c.key, c.grade]));
    view.counts = {};
  }
  const { texts } = data;
  fill(place.content,
    keep(place, "head", [texts.title, data.sets, data.set], () => head(view, place)),
    keep(place, "ask", [data.set, data.words, data.error, texts.title], () => ask(view)),
    keep(place, "body", [about, data.questions, texts.title], () => body(view)));
}

function head(view, place) {
  const { data } = view, { texts } = data;
  const other = (value) => (value === "" ? newSet(view, place) : view.tell("go", { set: value, q: "" }));
  const sets = choice([...data.sets.map((s) => [s, s]), ["", `${texts.new_set} …`]], data.set, { id: "set", "data-focus": "set", onchange: (e) => other(e.target.value) });
  return h("div", { class: "head" },
    h("div", {}, h("h1", {}, texts.title), h("p", { class: "soft" }, texts.about)),
    h("div", { class: "actions end" }, field(texts.set, sets), h("a", { class: "button", href: `/quality?lang=${data.language}` }, icon("bars"), texts.measure)));
}

function newSet(view, place) {
  const { data } = view, { texts } = data;
  const name = h("input", { type: "text", required: true, maxlength: 100, pattern: "[A-Za-z0-9][A-Za-z0-9._\\-]*", title: texts.bad_name });
  const box = dialog(place, texts.new_set, h("div", {},
    h("div", { class: "sheet-head" }, h("h2", {}, texts.new_set)),
    h("form", { class: "sheet-body form", onsubmit: (e) => { e.preventDefault(); box.close(); view.tell("go", { set: name.value.trim(), q: "" }); } },
      field(texts.new_set_name, name, texts.sets_hint),
      h("div", { class: "actions end" }, h("button", { type: "button", class: "button", onclick: () => box.close() }, texts.cancel), h("button", { type: "submit", class: "button main" }, texts.make)))),
    () => { const set = view.data.set; for (const select of place.content.querySelectorAll("#set")) select.value = set; });
  box.style.setProperty("width", "min(30rem, calc(100vw - 1.5rem))");
  name.focus();
}

function ask(view) {
  const { data } = view, { texts } = data;
  const box = h("input", { type: "search", value: data.words, maxlength: 2000, placeholder: texts.ask, "aria-label": texts.ask, "data-focus": "ask" });
  return h("form", { role: "search", class: "ask", onsubmit: (e) => { e.preventDefault(); if (box.value.trim()) view.tell("go", { set: data.set, q: box.value.trim() }); } },
    box, h("button", { type: "submit", class: "button main" }, icon("search"), texts.look),
    data.error ? h("p", { class: "notice", role: "alert" }, icon("alert"), h("span", {}, data.error)) : null);
}

function body(view) {
  const { data } = view;
  return h("div", { class: "columns" }, questions(view), data.words && !data.error ? candidates(view) : h("div", {}));
}

function questions(view) {
  const { data } = view, { texts } = data;
  view.marks = {};
  const one = (q) => h("li", {}, h("button", { type: "button", class: "question", lang: q.lang, "aria-current": q.words === data.words ? "true" : null, "data-focus": `q-${q.words}`, onclick: () => view.tell("go", { set: data.set, q: q.words }) },
    h("span", {}, q.words), (view.marks[q.words] = h("span", { class: "soft small" }, say(texts.judged_n, { n: q.judged })))));
  return h("aside", { "aria-label": texts.questions }, h("h2", {}, texts.questions),
    data.questions.length ? h("ol", { class: "questions" }, data.questions.map(one)) : h("p", { class: "soft small" }, texts.no_questions));
}

function candidates(view) {
  const { data } = view, { texts } = data;
  view.told = h("p", { class: "soft small", role: "status" }, data.candidates.length ? texts.how : "");
  view.cards = data.candidates.map((c, n) => card(view, c, n));
  if (!view.cards.length) return h("section", {}, h("h2", {}, texts.nothing));
  return h("section", { "aria-label": texts.candidates, class: "found" },
    h("div", { class: "row" }, h("h2", {}, texts.candidates), view.told),
    h("ul", { class: "grid" }, view.cards));
}

function card(view, candidate, n) {
  const { texts } = view.data;
  const buttons = GRADES.map((grade) => h("button", {
    type: "button", class: `grade g${grade}`, "aria-label": say(texts.grade_of, { grade: texts[`grade_${grade}`], title: candidate.title.slice(0, 80) }), title: texts[`grade_${grade}`], "data-focus": `grade-${candidate.key}-${grade}`,
    onclick: () => judge(view, n, view.grades[candidate.key] === grade ? null : grade),
  }, String(grade)));
  const ways = candidate.found_by.map((way) => texts[`way_${way}`] || way).join(" · ");
  const node = h("li", { class: "card", tabindex: 0, "data-focus": `card-${candidate.key}`, onkeydown: (e) => pressed(view, n, e) },
    h("span", { class: "frame" }, shownPicture(candidate, 0, 512, texts, n >= 8)),
    h("a", { class: "title", href: candidate.href, lang: candidate.lang, title: candidate.title, tabindex: -1 }, candidate.title),
    h("p", { class: "soft small ways" }, ways ? say(texts.found_by, { ways }) : texts.judged_before),
    h("div", { class: "grades", role: "group", "aria-label": candidate.title.slice(0, 80) }, buttons),
    h("p", { class: "verdict small" }));
  node.buttons = buttons;
  node.candidate = candidate;
  mark(view, node);
  return node;
}

function mark(view, node) {
  const { texts } = view.data, grade = view.grades[node.candidate.key];
  const known = grade !== undefined;
  node.className = `card ${known ? `judged g${Math.min(grade, 3)}` : ""}`;
  node.querySelector(".verdict").textContent = known ? texts[`grade_${grade}`] || say(texts.other_grade, { n: grade }) : texts.not_judged;
  node.buttons.forEach((button, at) => button.setAttribute("aria-pressed", String(GRADES[at] === grade)));
}

function pressed(view, n, e) {
  if (e.metaKey || e.ctrlKey || e.altKey) return;
  const columns = Math.max(1, Math.round(view.cards[0].parentNode.clientWidth / (view.cards[0].offsetWidth + 16)));
  const moves = { ArrowRight: 1, j: 1, J: 1, ArrowLeft: -1, k: -1, K: -1, ArrowDown: columns, ArrowUp: -columns };
  if (e.key in moves) { e.preventDefault(); view.cards[n + moves[e.key]]?.focus(); }
  else if (["0", "1", "2", "3"].includes(e.key)) { e.preventDefault(); judge(view, n, Number(e.key)); next(view, n); }
  else if (e.key === "Backspace" || e.key === "Delete") { e.preventDefault(); judge(view, n, null); }
}

function next(view, n) {
  const open = [...view.cards.slice(n + 1), ...view.cards.slice(0, n)].find((c) => !(c.candidate.key in view.grades));
  (open || view.cards[n + 1] || view.cards[n]).focus();
}

// Shown at once; saved one after the other, so that the last judgement of a product stays.
function judge(view, n, grade) {
  const { data } = view, node = view.cards[n], key = node.candidate.key;
  const before = view.grades[key];
  if (grade === null) delete view.grades[key]; else view.grades[key] = grade;
  mark(view, node);
  const asked = { set: data.set, words: data.words, grades: { [key]: grade } };
  const { about } = view;
  view.saving = view.saving.then(() => send(asked)).then((grades) => {
    const judged = Object.keys(grades).length;
    if (view.marks[asked.words]) view.marks[asked.words].textContent = say(data.texts.judged_n, { n: judged });
    if (view.about === about) view.told.textContent = say(data.texts.saved, { n: view.cards.filter((c) => c.candidate.key in grades).length, of: view.cards.length });
  }).catch((why) => {
    if (view.about !== about) return;
    if (before === undefined) delete view.grades[key]; else view.grades[key] = before;
    mark(view, node);
    view.told.textContent = say(data.texts.unsaved, { why: String(why) });
  });
}

async function send(asked) {
  const answer = await fetch("/judgement", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(asked) });
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) throw said.why || answer.status;
  return said.grades;
}
