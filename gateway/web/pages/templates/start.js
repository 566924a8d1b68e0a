(() => {
  const link = document.getElementById("continue");
  const { attempt, rd, earlier, wait } = link.dataset;
  try {
    let kept = {};
    if (earlier) {
      kept = JSON.parse(sessionStorage.getItem("gateway:" + earlier)) || {};
      sessionStorage.removeItem("gateway:" + earlier);
    }
    if (location.hash.length > 1) kept.fragment ||= location.hash;
    if (rd) kept.rd = rd;
    // A sign-in has begun: where the tab was before is over, and no business of the next person.
    sessionStorage.removeItem("gateway:place");
    if (kept.fragment || kept.rd) sessionStorage.setItem("gateway:" + attempt, JSON.stringify(kept));
  } catch {
    // Storage is switched off or full: sign-in works all the same, only the exact place is lost.
  }
  if (wait) setTimeout(() => location.replace(link.href), wait * 1e3);
  else location.replace(link.href);
})();
