
(() => {
  const picture = document.getElementById("picture");
  // On a phone the search comes first.
  if (picture && matchMedia("(max-width: 40rem)").matches) picture.open = false;
  const table = document.querySelector(".terms");
  if (!table) return;
  const form = document.querySelector("form");
  const shown = document.getElementById("shown");
  const again = form.querySelector("button");
  const asks = form.elements;
  const body = table.tBodies[0];
  const heads = [...table.querySelectorAll("[data-by]")];
  const text = (row, name) => row.querySelector("." + name)?.textContent ?? "";
  const row = (node) => {
    const name = node.firstElementChild.textContent;
    const [meaning, owner, state, since] = ["meaning", "owner", "state", "since"].map((part) => text(node, part));
    const members = Number(node.querySelector(".members")?.dataset.n ?? 0);
    const kept = node.querySelector(".state b").textContent;
    return { node, name, meaning, owner, state: kept, since, members, text: folded([name, meaning, owner, state].join(" ")) };
  };
  const rows = [...body.rows].map(row);
  const total = rows.length;
  const named = (number) => number.toLocaleString("en") + " " + (number === 1 ? table.dataset.one : table.dataset.many);
  const chosen = (name) => (asks[name] ? asks[name].value : "");
  const choose = (name, value) => {
    const field = asks[name];
    if (field instanceof RadioNodeList) for (const one of field) one.checked = one.value === value;
    else if (field) field.value = value;
  };

  // Many rows change at once where nobody sees them.
  const apart = (change) => {
    body.remove();
    const found = change();
    table.append(body);
    return found;
  };

  const filter = () => {
    const words = wordsIn(asks.q.value);
    const [state, owner] = [chosen("state"), chosen("owner")];
    const wanted = (each) => (!state || each.state === state) && (!owner || each.owner === owner) && words.every((word) => each.text.includes(word));
    const number = apart(() => rows.filter((each) => show(each.node, wanted(each))).length);
    shown.textContent = number === total ? named(total) : number ? number.toLocaleString("en") + " of " + named(total) : "Nothing matches";
    again.hidden = number === total;
  };

  // Names are in order already.
  let order = "name";
  const collator = new Intl.Collator("en", { numeric: true });
  const sort = (by) => {
    order = by;
    const [key, down] = by.startsWith("-") ? [by.slice(1), -1] : [by, 1];
    const compare = key === "members" ? (a, b) => a.members - b.members : (a, b) => collator.compare(a[key], b[key]);
    // What says nothing stands last, whichever way.
    const empty = (each) => (each[key] === "" ? 1 : 0);
    rows.sort((a, b) => empty(a) - empty(b) || down * compare(a, b) || collator.compare(a.name, b.name));
    apart(() => {
      // One that is moved while the others stand there costs as much as there are others.
      body.replaceChildren();
      body.append(...rows.map((each) => each.node));
    });
    for (const head of heads) {
      if (head.dataset.by === key) head.setAttribute("aria-sort", down < 0 ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
  };

  // The address holds what is asked for, so that it can be sent to somebody.
  const write = () => {
    const asked = new URLSearchParams();
    for (const name of ["q", "state", "owner"]) if (chosen(name)) asked.set(name, chosen(name));
    if (order !== "name") asked.set("sort", order);
    const hash = asked.toString();
    try { history.replaceState(null, "", hash ? "#" + hash : location.href.split("#")[0]); } catch { /* A page in a frame may have no address. */ }
  };
  const read = () => {
    const hash = location.hash.slice(1);
    if (hash && !hash.includes("=")) {
      const node = document.getElementById(decodeURIComponent(hash));
      if (!node || !body.contains(node)) return;
      if (node.hidden) {
        for (const name of ["q", "state", "owner"]) choose(name, "");
        filter();
      }
      node.scrollIntoView({ block: "center" });
      return;
    }
    const asked = new URLSearchParams(hash);
    for (const name of ["q", "state", "owner"]) if (asked.has(name)) choose(name, asked.get(name));
    const by = asked.get("sort") ?? "name";
    if (by !== order && heads.some((head) => head.dataset.by === by.replace("-", ""))) sort(by);
    filter();
  };

  let waiting = 0;
  const soon = () => { cancelAnimationFrame(waiting); waiting = requestAnimationFrame(() => { filter(); write(); }); };
  form.addEventListener("input", soon);
  form.addEventListener("reset", () => { soon(); asks.q.focus(); });
  form.addEventListener("submit", (event) => event.preventDefault());
  addEventListener("hashchange", read);
  for (const head of heads) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      // Many come first where numbers are asked for.
      const by = head.dataset.by;
      const first = by === "members" ? "-members" : by;
      const other = by === "members" ? by : "-" + by;
      sort(order === first ? other : first);
      write();
    });
  }
  heads[0].setAttribute("aria-sort", "ascending");
  form.hidden = false;
  filter();
  read();
})();
