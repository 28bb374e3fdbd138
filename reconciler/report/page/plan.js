
(() => {
  const form = document.querySelector("form");
  if (!form) return;
  const shown = document.getElementById("shown");
  const again = form.querySelector("button");
  const change = (name, node) => ({ node, action: node.dataset.a, text: folded(name + " " + node.textContent) });
  const thing = (node) => {
    const name = node.firstElementChild.textContent;
    return { node, list: node.querySelector("details"), changes: [...node.querySelectorAll("[data-a]")].map((li) => change(name, li)) };
  };
  const part = (node) => {
    const count = node.querySelector("summary span");
    return { node, count, all: count.textContent, things: [...node.querySelectorAll(".t")].map(thing) };
  };
  // The list itself is the data: it is read once, at the first filter.
  let parts;
  const read = () => parts || (parts = [...document.querySelectorAll(".part")].map(part));
  const total = document.querySelectorAll("[data-a]").length;
  const say = (number) => {
    shown.textContent = number === total ? total.toLocaleString("en") + (total === 1 ? " change" : " changes")
      : number ? number.toLocaleString("en") + " of " + total.toLocaleString("en") + " changes" : "No change matches";
    again.hidden = number === total;
  };
  const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);

  const filter = () => {
    const asked = new FormData(form);
    const words = wordsIn(asked.get("query"));
    const actions = (asked.get("action") || "").split(" ").filter(Boolean);
    const matches = (one) => (!actions.length || actions.includes(one.action)) && words.every((word) => one.text.includes(word));
    const narrow = (each, wanted) => {
      const kept = each.changes.filter((one) => show(one.node, wanted && matches(one))).length;
      show(each.node, kept > 0);
      if (each.list && kept && words.length) each.list.open = true;
      return kept;
    };
    const number = sum(read().map((group) => {
      const found = sum(group.things.map((each) => narrow(each, !asked.get("kind") || asked.get("kind") === each.node.dataset.k)));
      const all = sum(group.things.map((each) => each.changes.length));
      group.count.textContent = found === all ? group.all : found.toLocaleString("en") + " of " + group.all;
      if (show(group.node, found > 0) && words.length) group.node.open = true;
      return found;
    }));
    say(number);
  };

  let waiting = 0;
  const soon = () => { cancelAnimationFrame(waiting); waiting = requestAnimationFrame(filter); };
  form.addEventListener("input", soon);
  form.addEventListener("reset", () => { soon(); form.elements.query.focus(); });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  say(total);
  // A browser that comes back to the page may have kept what was typed.
  if (form.elements.query.value) soon();
})();
