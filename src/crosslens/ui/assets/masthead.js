export default function ({ data, parentElement, setTriggerValue }) {
  const place = root(parentElement);
  const { texts } = data;
  document.documentElement.lang = data.language === "zh" ? "zh-CN" : "en";
  const link = (page) =>
    h("a", {
      href: page.href, "aria-current": page.current ? "page" : null, "data-focus": page.path,
      onclick: (e) => {
        if (e.metaKey || e.ctrlKey || e.shiftKey || e.button) return;
        e.preventDefault();
        if (!page.current) setTriggerValue("go", page.path);
        else if (page.path === "search") setTriggerValue("go", page.path);
      },
    }, page.title);
  const speak = (one) =>
    h("button", {
      type: "button", lang: one.lang, "data-focus": one.code, "aria-pressed": String(one.code === data.language),
      onclick: () => setTriggerValue("speak", one.code),
    }, one.title);
  const skip = h("button", { type: "button", class: "skip", onclick: () => {
    const host = [...document.querySelectorAll("*")].find((n) => n.shadowRoot?.querySelector(".part:not(.masthead)"));
    host?.shadowRoot.querySelector("input, button, a, select, summary")?.focus();
  } }, texts.skip);
  fill(place.content, h("header", {},
    skip,
    h("a", { class: "brand", href: data.home, onclick: (e) => { if (!e.metaKey && !e.ctrlKey) { e.preventDefault(); setTriggerValue("go", "search"); } } },
      h("span", { class: "mark", "aria-hidden": "true" }), texts.brand),
    h("nav", { "aria-label": texts.pages }, data.pages.map(link)),
    h("div", { class: "languages", role: "group", "aria-label": texts.language }, data.languages.map(speak)),
  ));
  const nav = place.content.querySelector("nav"), here = nav.querySelector("[aria-current]");
  if (here) nav.scrollLeft = here.offsetLeft - nav.offsetLeft - (nav.clientWidth - here.offsetWidth) / 2;
}
