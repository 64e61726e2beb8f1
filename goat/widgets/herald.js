// Says to a screen reader what happened elsewhere in the panel. Shows nothing.

/** ipywidgets shows by colour alone which of its toggle buttons is chosen: say it as well. */
function markPressed(el) {
  const mark = () => {
    for (const button of el.closest(".goat-panel")?.querySelectorAll(".widget-toggle-button") ?? []) {
      const pressed = String(button.classList.contains("mod-active"));
      if (button.getAttribute("aria-pressed") !== pressed) button.setAttribute("aria-pressed", pressed);
    }
  };
  const watcher = new MutationObserver(mark);
  const begin = requestAnimationFrame(() => {
    mark(); // by now we are in the page
    const panel = el.closest(".goat-panel");
    if (panel) watcher.observe(panel, { subtree: true, childList: true, attributes: true, attributeFilter: ["class"] });
  });
  return () => {
    cancelAnimationFrame(begin);
    watcher.disconnect();
  };
}

function render({ model, el }) {
  const herald = makeHerald();
  el.classList.add("goat-herald");
  el.append(herald.element);
  const say = () => model.get("said").text && herald.say("panel", model.get("said").text);
  model.on("change:said", say);
  const marked = markPressed(el);
  return () => {
    marked();
    model.off("change:said", say);
    herald.destroy();
  };
}

export default { render };
