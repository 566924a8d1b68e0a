// Makes a tab leave for the signed-out page when its session ends: in this tab, in another one, or on the server.
//
// One tab of the browser, the leader, holds /oauth2/events and tells all others who is signed in (rule R15). What is
// sent has no comments and no spaces beside punctuation, and SETTINGS is filled in: gateway/web/endpoints/tab.py.
if (!window.gatewaySignOut) {
  const {style} = document.documentElement;
  const {locks, serviceWorker} = navigator;
  // Ours is this address, so a worker shows the application in the middle of a sign-out.
  const worked = location.pathname.match("^/log(out|ged)");
  let [prefix, input, user] = SETTINGS, halt, moving, reported;

  // Whoever signs in again wants to be here again (place.js). It throws where storage is full or forbidden: never call
  // it before something else.
  const keep = () => {
    if (!worked) sessionStorage["gateway:place"] = top.location;
  };

  const leave = async () => {
    if (Date.now() < moving) return setTimeout(leave, 500);
    style.opacity = 0;
    serviceWorker?.controller?.postMessage("logged-out");
    // A worker that shows the application even there has to go, or we would go round in circles.
    if (worked)
      for (const worker of await serviceWorker.getRegistrations()) worker.unregister();
    location.replace("/logged-out?waiting");
  };

  // "" is nobody. What was loaded for one user is not to be seen by the next one either; a page that was never
  // anybody's stays, and asks again when it is looked at.
  const hear = (name) => {
    if (!name || (user ||= name) != name) {
      halt();
      // Where somebody may just have pressed a button, what it starts has the first word.
      if (user != null || worked)
        return document.hidden ? leave() : setTimeout(leave, 200);
    }
    style.opacity = "";
  };

  const start = (waits) => {
    halt?.();
    if (!locks && document.hidden) return;
    const stop = new AbortController(), {signal} = stop;
    const channel = locks && new BroadcastChannel("gateway");
    halt = () => {
      stop.abort();
      channel?.close();
    };
    const tell = (name) => {
      channel?.postMessage(name);
      hear(name);
    };
    const ask = async (path) => {
      const answer = await fetch(prefix + path, {signal});
      if (answer.status == 401) tell("");
      return answer;
    };
    const watch = async () => {
      let answer = await ask("/session");
      if (!answer.ok) return;
      const session = await answer.json();
      tell("=" + session.user);
      setTimeout(start, 1e3 * (1 + (session.idle_in % 1e6)));
      // It goes on until the session ends, or the connection.
      answer = await ask("/events");
      if ((await answer.text()).match("logged-out")) tell("");
    };
    if (locks) channel.onmessage = ({data}) => hear(data);
    // The tab that is looked at leads, because browsers freeze the others; those wait in line.
    (locks ? locks.request("gateway", waits || document.hidden ? {signal} : {steal: true}, watch) : watch())
      .catch(({name}) => name == "AbortError")
      .then((waits) => signal.aborted || setTimeout(start, 3e3 * Math.random(), waits));
  };

  addEventListener("visibilitychange", () => {
    if (!locks || !document.hidden) start();
  });
  // In the back-forward cache a page holds nothing; when it comes back it is not seen before it has asked.
  addEventListener("pagehide", () => {
    halt();
    style.opacity = 0;
    keep();
  });
  addEventListener("pageshow", ({persisted}) => {
    if (persisted) {
      moving = 0;
      start();
    }
  });
  // A navigation has begun. If it is the sign-out itself, calling this tab away from it would break the chain.
  const move = () => (moving = Date.now() + 1e4);
  addEventListener("beforeunload", move);
  // Before the next page is asked for, which may come to be in another process while this one goes (COOP). Safari on
  // phones tells of no such moment; there the page does it when it goes.
  addEventListener("beforeunload", keep);

  if (input)
    for (const kind of ["keydown", "pointerdown", "wheel"])
      addEventListener(kind, ({isTrusted}) => {
        if (isTrusted && !(Date.now() < reported)) {
          reported = Date.now() + 6e4;
          fetch(prefix + "/activity", {method: "POST"});
        }
      }, true);

  // Signs out, also where a service worker would swallow a link to /logout.
  window.gatewaySignOut = async () => {
    move();
    const answer = await fetch("/logout", {method: "POST", headers: {accept: "application/json"}});
    location = (await answer.json()).location;
  };

  start();
}
