(() => {
  const link = document.getElementById("sign-in");
  try {
    const goal = new URL(link.href), place = new URL(sessionStorage.getItem("gateway:place"));
    const path = place.pathname + place.search, known = goal.searchParams.get("rd");
    // An interrupted sign-in has a place of its own.
    if (goal.searchParams.get("after") || place.origin !== location.origin) return;
    if (!known || known === "/") {
      goal.search = "tab";
      goal.searchParams.set("rd", path);
    } else if (known !== path) return;
    goal.hash = place.hash;
    // What is in front of the gateway may take no longer addresses.
    if (goal.href.length < 4096) link.href = goal.href;
  } catch {
    // No sign-in is offered, or this tab keeps no place (tab.js): the link leads where the gateway knows.
  }
})();
