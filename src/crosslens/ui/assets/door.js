export default function ({ data, parentElement }) {
  const place = root(parentElement);
  const { texts } = data;
  const told = h("div", { role: "alert" });
  const key = h("input", { type: "password", autocomplete: "current-password", id: "key", required: true });
  const form = h("form", { onsubmit: async (e) => {
    e.preventDefault();
    const answer = await fetch("/door", { method: "POST", body: key.value }).catch(() => null);
    if (answer && answer.ok) location.reload();
    else told.replaceChildren(h("p", { class: "notice" }, icon("alert"), h("span", {}, answer && answer.status === 401 ? texts.key_wrong : texts.away_title)));
  } },
    h("span", { class: "sign" }, icon("key")), h("h1", {}, texts.locked_title), h("p", { class: "soft" }, texts.locked),
    h("label", { class: "field" }, h("span", {}, texts.key), key), told,
    h("div", { class: "actions" }, h("button", { class: "button main", type: "submit" }, texts.enter)));
  if (!place.content.firstChild) fill(place.content, form);
}
