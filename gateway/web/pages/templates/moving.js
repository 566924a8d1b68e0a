location.replace(document.getElementById("continue").href + location.hash);
