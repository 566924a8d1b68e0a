(() => {
  const link = document.getElementById("continue");
  const kept = {};
  if (location.hash.length > 1) kept.fragment = location.hash;
  if (link.dataset.rd) kept.rd = link.dataset.rd;
  try {
    if (kept.fragment || kept.rd) sessionStorage.setItem("gateway:" + link.dataset.attempt, JSON.stringify(kept));
  } catch {
    // Storage is switched off or full: sign-in works all the same, only the exact place is lost.
  }
  location.replace(link.href);
})();
