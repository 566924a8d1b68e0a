import react from "@vitejs/plugin-react";
import { defineConfig, type ProxyOptions } from "vite";

/** The demo's API, so that `npm run dev` and `npm run preview` work without the gateway. */
const proxy: Record<string, ProxyOptions> = { "/api": { target: "http://127.0.0.1:8083", ws: true } };

/** `npm run preview` serves the built files under the policy that they are meant to work with. */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join("; ");

export default defineConfig({
  plugins: [react()],
  build: { target: "es2022", assetsInlineLimit: 0, license: { fileName: "licenses.md" } },
  server: { host: "127.0.0.1", proxy },
  preview: { host: "127.0.0.1", proxy, headers: { "Content-Security-Policy": contentSecurityPolicy } },
});
