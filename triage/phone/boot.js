// The way out of a broken release. A classic script that needs nothing else: where the app failed to start twice
// running, the service worker and its caches are forgotten, never the data, and everything is loaded from the
// network once more.
"use strict";
(function () {
  var KEY = "starts";
  var failed = Number(localStorage.getItem(KEY) || 0);
  localStorage.setItem(KEY, String(failed + 1));
  window.started = function () {
    localStorage.setItem(KEY, "0");
  };
  if (failed < 2 || !("serviceWorker" in navigator)) return;
  localStorage.setItem(KEY, "0");
  fetch("/app/boot.js?" + Date.now(), { cache: "no-store" })
    .then(function () {
      return Promise.all([
        navigator.serviceWorker.getRegistrations().then(function (all) {
          return Promise.all(
            all.map(function (registration) {
              return registration.unregister();
            }),
          );
        }),
        caches.keys().then(function (names) {
          return Promise.all(
            names.map(function (name) {
              return caches.delete(name);
            }),
          );
        }),
      ]);
    })
    .then(function () {
      location.reload();
    });
})();
