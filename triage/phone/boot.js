// The way out of a broken release. A classic script that needs nothing else: where the app failed to start twice
// running, the service worker and its caches are forgotten, never the data, and everything is loaded from the
// network once more.
(async () => {
  const failed = Number(localStorage.starts ?? 0);
  localStorage.starts = failed + 1;
  window.started = () => {
    localStorage.starts = 0;
  };
  if (failed < 2 || !("serviceWorker" in navigator)) return;
  localStorage.starts = 0;
  await fetch(`/app/boot.js?${Date.now()}`, { cache: "no-store" });
  for (const registration of await navigator.serviceWorker.getRegistrations()) await registration.unregister();
  for (const name of await caches.keys()) await caches.delete(name);
  location.reload();
})();
