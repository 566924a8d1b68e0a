(() => {
  const { wait, again } = document.getElementById("continue").dataset;
  setTimeout(() => again ? location.replace(again) : location.reload(), wait * 1e3);
})();
