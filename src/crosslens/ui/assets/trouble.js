export default function ({ data, parentElement }) {
  const place = root(parentElement);
  const { texts } = data;
  fill(place.content, h("section", { role: "status", class: "middle" },
    h("span", { class: "sign" }, icon("alert")),
    h("h1", {}, data.away ? texts.away_title : texts.wrong_title),
    h("p", {}, data.away ? texts.away : data.message),
    data.detail ? h("p", { class: "soft small" }, data.detail) : null,
    data.away ? h("p", { class: "soft" }, texts.away_hint, " ", h("code", {}, "crosslens serve")) : null,
    data.away ? h("span", { class: "pulse", "aria-hidden": "true" }) : null,
    h("div", { class: "actions" }, h("button", { type: "button", class: "button", onclick: () => location.reload() }, texts.retry))));
}
