import { createHash } from 'node:crypto';
import { accessText } from './openapi.ts';
import type { Route } from './route.ts';

const style = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 0 auto; padding: 2rem 1rem; }
h2 { margin-top: 2.5rem; border-bottom: 1px solid #8886; }
details { border: 1px solid #8884; border-radius: 6px; margin: .5rem 0; padding: .4rem .8rem; }
summary { cursor: pointer; }
code, pre { font: .9em ui-monospace, monospace; }
pre { overflow-x: auto; background: #8881; padding: .6rem; border-radius: 6px; }
.method { display: inline-block; min-width: 4.5rem; font-weight: 700; }
.quiet { opacity: .7; }
table { border-collapse: collapse; } td, th { text-align: left; padding: .15rem .8rem .15rem 0; vertical-align: top; }
`;

/** The page may load nothing and run nothing: all of it is in the answer. */
export const docsPolicy = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

/** The routes as a page for people, without outside assets or scripts. */
export function docsPage(routes: readonly Route[]): string {
  const tags = [...new Set(routes.map(({ tag }) => tag))];
  const sections = tags.map((tag) => {
    const own = routes.filter((route) => route.tag === tag).map(section);
    return `<h2 id="${escapeHtml(tag)}">${escapeHtml(tag)}</h2>\n${own.join('\n')}`;
  });
  const links = tags
    .map((tag) => `<a href="#${escapeHtml(tag)}">${escapeHtml(tag)}</a>`)
    .join(' · ');
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Gantry API</title><style>${style}</style></head><body>
<h1>Gantry API</h1>
<p>Below <code>/api/v1</code>. Send a token: <code>curl -H "Authorization: Bearer gnt_…" …/api/v1/me</code>.
For programs: <a href="openapi.json">openapi.json</a> (OpenAPI 3.1). Errors are <code>{"code", "message", "hint"}</code>.
Lists come in pages: hand <code>next</code> back as <code>cursor</code>. GETs have an ETag; a change with <code>If-Match</code> is
refused with 412 where somebody was faster.</p>
<p>${links}</p>
${sections.join('\n')}
</body></html>
`;
}

function section(route: Route): string {
  const rows = (entries: readonly (readonly [string, string])[]) =>
    entries
      .map(([a, b]) => `<tr><td><code>${escapeHtml(a)}</code></td><td>${escapeHtml(b)}</td></tr>`)
      .join('');
  const query = Object.entries(route.query?.properties ?? {}).map(
    ([name, schema]) => [name, schema.description ?? String(schema.type ?? '')] as const,
  );
  const replies = Object.entries(route.replies).map(([s, r]) => [s, r.description] as const);
  const body = route.body ?? route.rawBody?.schema;
  return `<details><summary><span class="method">${route.method}</span> <code>${escapeHtml(route.path)}</code> <span class="quiet">${escapeHtml(route.summary)}</span></summary>
${route.description ? `<p>${escapeHtml(route.description)}</p>` : ''}
<p class="quiet">Access: ${escapeHtml(accessText(route.access))}${route.idempotent ? ' · takes an Idempotency-Key' : ''}</p>
${query.length > 0 ? `<table><tr><th>query</th><th></th></tr>${rows(query)}</table>` : ''}
${body ? `<p>Body${route.rawBody ? ` (${escapeHtml(route.rawBody.mediaType)})` : ''}:</p><pre>${escapeHtml(JSON.stringify(body, undefined, 2))}</pre>` : ''}
<table><tr><th>answer</th><th></th></tr>${rows(replies)}</table>
</details>`;
}

function escapeHtml(text: string): string {
  const entities: Record<string, string> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
  };
  return text.replace(/[&<>"]/g, (character) => entities[character]!);
}
