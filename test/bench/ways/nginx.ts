/** What nginx speaks with the server. */
export type Protocol = 'http' | 'uwsgi';

/**
 * nginx as it commonly stands before such servers: a connection to the server for each request, none kept. (Kept ones
 * only work with servers that never close an idle connection by themselves, and gunicorn and uWSGI do.)
 */
export function nginxConf(protocol: Protocol, keepaliveMin?: string): string {
  const passOn =
    protocol === 'uwsgi'
      ? 'include /etc/nginx/uwsgi_params; uwsgi_param UWSGI_FASTROUTER_KEY app; uwsgi_pass app;'
      : 'proxy_http_version 1.1; proxy_set_header Connection close; proxy_pass http://app;';
  return frame(`
  ${keepaliveMin ? `keepalive_min_timeout ${keepaliveMin};` : ''}
  upstream app { include /ways/upstream.conf; }
  server {
    listen 80 backlog=4096;
    location / { ${passOn} }
  }`);
}

/** The same before a service of a Compose project, whose address may change when its container is made anew. */
export function composeNginxConf(): string {
  return frame(`
  resolver 127.0.0.11 valid=1s;
  server {
    listen 80 backlog=4096;
    set $app app:3000;
    location / { proxy_http_version 1.1; proxy_set_header Connection close; proxy_pass http://$app; }
  }`);
}

const PID_FILE = '/ways/nginx.pid';

function frame(inner: string): string {
  return `daemon off;
pid ${PID_FILE};
worker_processes auto;
worker_rlimit_nofile 16384;
error_log /dev/stderr warn;
events { worker_connections 8192; }
http {
  access_log off;
${inner}
}
`;
}
