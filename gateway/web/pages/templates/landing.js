(() => {
  const link = document.getElementById("continue");
  const key = "gateway:" + link.dataset.attempt;
  const target = new URL(link.href);
  let goal = target;
  try {
    const kept = JSON.parse(sessionStorage.getItem(key)) || {};
    sessionStorage.removeItem(key);
    if (typeof kept.rd === "string" && kept.rd.startsWith("/")) {
      const place = new URL(kept.rd, location.origin);
      if (place.origin !== location.origin) goal = target;
      else if (goal.pathname.endsWith("/onward")) goal.searchParams.set("rd", kept.rd);
      else goal = place;
    }
    if (typeof kept.fragment === "string" && kept.fragment.startsWith("#")) goal.hash = kept.fragment;
  } catch {
    goal = target;
  }
  location.replace(goal.href);
})();
