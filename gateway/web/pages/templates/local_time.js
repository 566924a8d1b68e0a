(() => {
  for (const element of document.querySelectorAll("time")) {
    const moment = new Date(element.dateTime);
    element.title = element.dateTime;
    element.textContent = element.className === "day"
      ? moment.toLocaleDateString("en-GB", { dateStyle: "long" })
      : element.className === "moment"
      ? moment.toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" })
      : moment.toLocaleTimeString("en-GB", { timeZoneName: "short" });
  }
})();
