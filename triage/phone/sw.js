// The service worker: the app's own files, nothing else. It never sees a record: requests to /v1 are not touched.
// VERSION and FILES are filled in by the service, from the bytes it serves: where a byte changes, the version
// changes.
const VERSION = "%VERSION%";
const FILES = ["%FILES%"];
const CACHE = `app-${VERSION}`;

self.addEventListener("install", (event) => {
  // All or nothing, past the HTTP cache, and never a redirect: a page that asks to sign in must not become the app.
  event.waitUntil(
    caches.open(CACHE).then((cache) =>
      Promise.all(
        FILES.map(async (file) => {
          const response = await fetch(file, { cache: "no-cache", redirect: "error", credentials: "omit" });
          if (!response.ok || response.headers.get("x-app-version") !== VERSION)
            throw new Error(`${file}: not of this release`);
          await cache.put(file, response);
        }),
      ),
    ),
  );
});
self.addEventListener("activate", (event) => {
  event.waitUntil(
    (async () => {
      for (const name of await caches.keys()) if (name.startsWith("app-") && name !== CACHE) await caches.delete(name);
      await self.clients.claim();
    })(),
  );
});
self.addEventListener("message", (event) => {
  if (event.data === "take over") self.skipWaiting();
});
self.addEventListener("fetch", (event) => {
  const { pathname, origin } = new URL(event.request.url);
  const ours = origin === location.origin && (pathname === "/app" || pathname.startsWith("/app/"));
  if (event.request.method !== "GET" || !ours) return;
  // the address without its query: nothing of ours can miss
  event.respondWith(caches.open(CACHE).then(async (cache) => (await cache.match(pathname)) ?? fetch(event.request)));
});
