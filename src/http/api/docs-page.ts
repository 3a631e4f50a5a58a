import { createHash } from 'node:crypto';
import { exampleOf, type Field, fieldsOf, typeOf } from './docs-schema.ts';
import { docsStyle } from './docs-style.ts';
import { refusalsOf } from './openapi.ts';
import type { Access, ReplyDoc, Route } from './route.ts';

/** The page may load nothing and run nothing: all of it is in the answer. */
export const docsPolicy = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(docsStyle).digest('base64')}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

const facts: readonly (readonly [title: string, html: string])[] = [
  [
    'Signing in',
    'Send a token: <code>Authorization: Bearer gnt_…</code>, or a JWT of an issuer that a trust policy names.',
  ],
  ['Errors', '<code>{"code", "message", "hint"}</code>. Programs compare <code>code</code>.'],
  [
    'Lists',
    'They come in pages: hand <code>next</code> back as <code>cursor</code> until it is null.',
  ],
  [
    'Changes',
    'A GET has an <code>ETag</code>. A change with <code>If-Match</code> is refused with 412 where somebody was faster.',
  ],
  [
    'Trying again',
    'Where it is said, a create with an <code>Idempotency-Key</code> is done once, however often it is sent.',
  ],
  [
    'For programs',
    '<a href="openapi.json">openapi.json</a>: OpenAPI 3.1, from the schemas that requests are checked against.',
  ],
];

/** The routes as a page for people, without outside assets or scripts. */
export function docsPage(routes: readonly Route[]): string {
  const tags = [...new Set(routes.map(({ tag }) => tag))];
  const links = tags.map((tag) => `<li><a href="#${idOf(tag)}">${escapeHtml(tag)}</a></li>`);
  const sections = tags.map((tag) => {
    const own = routes.filter((route) => route.tag === tag).map(operation);
    return `<h2 id="${idOf(tag)}">${escapeHtml(tag)}</h2>\n${own.join('\n')}`;
  });
  const cards = facts.map(([title, html]) => `<li><b>${title}</b>${html}</li>`);
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Gantry API</title><style>${docsStyle}</style></head><body><div class="layout">
<nav aria-label="Sections"><ul>${links.join('')}</ul></nav>
<main>
<h1>Gantry API</h1>
<p class="lead">Teams, projects, repositories, functions, tokens and trust, below <code>/api/v1</code>. Images themselves are pushed and pulled by the OCI distribution protocol, below <code>/v2/</code>.</p>
<ul class="facts">${cards.join('')}</ul>
${sections.join('\n')}
</main></div></body></html>
`;
}

function operation(route: Route): string {
  const { method, operationId, summary, description } = route;
  const chips = [
    whoMay(route.access),
    ...(route.idempotent ? ['Takes an Idempotency-Key'] : []),
  ].map((text) => `<li>${escapeHtml(text)}</li>`);
  return `<details><summary><span class="method ${method}">${method}</span><code class="path">${pathOf(route)}</code><span class="about">${prose(summary)}</span></summary>
<div class="body" id="${operationId}">
${description === undefined ? '' : `<p>${prose(description)}</p>`}
<ul class="chips">${chips.join('')}</ul>
${table('Path', pathFields(route))}
${table('Query', route.query ? fieldsOf(route.query) : [])}
${bodyOf(route)}
${Object.entries(route.replies)
  .map(([status, reply]) => answer(status, reply))
  .join('\n')}
<h3>Refusals</h3><p>${refusalsOf(route)
    .map((status) => `<code>${status}</code>`)
    .join(' ')}</p>
<h3>Try it</h3><pre>${escapeHtml(curl(route))}</pre>
</div></details>`;
}

function whoMay(access: Access): string {
  switch (access.at) {
    case 'public':
      return 'For everybody';
    case 'signed-in':
      return 'For whoever is signed in';
    case 'operator':
      return 'For operators of the installation';
    case 'team':
      return access.action === 'known'
        ? 'For whoever is of the team'
        : `Needs ${access.action} in the whole team`;
    case 'project':
      return access.orPublicParts
        ? `Needs ${access.action} in the project, or shows what is public`
        : `Needs ${access.action} in the project`;
    case 'repository':
      return `Needs ${access.action} in the repository`;
  }
}

/** Texts of the routes: what stands between backticks is code. */
const prose = (text: string): string => escapeHtml(text).replace(/`([^`]+)`/g, '<code>$1</code>');

const pathOf = ({ path }: Route): string =>
  escapeHtml(path).replace(/\{\w+\}/g, (name) => `<i>${name}</i>`);

/** Those of their own: `team`, `project` and `repository` are named alike everywhere. */
function pathFields({ params = {} }: Route): Field[] {
  return Object.entries(params).map(([name, schema]) => ({
    ...{ name, type: typeOf(schema), required: true, text: schema.description ?? '' },
  }));
}

function bodyOf({ body, rawBody }: Route): string {
  if (body) return table('Body', fieldsOf(body));
  if (!rawBody) return '';
  return `${table('Body', fieldsOf(rawBody.schema))}<p>Sent as <code>${escapeHtml(rawBody.mediaType)}</code>.</p>`;
}

function answer(status: string, { description, schema, mediaType }: ReplyDoc): string {
  const about = `${prose(description)}${mediaType === undefined ? '' : ` <code>${escapeHtml(mediaType)}</code>`}`;
  return `<h3>${status}</h3><p>${about}</p>${rows(schema ? fieldsOf(schema) : [], false)}`;
}

function table(title: string, fields: readonly Field[]): string {
  return fields.length === 0 ? '' : `<h3>${title}</h3>${rows(fields, true)}`;
}

/** `sent`: what must be there is marked; of an answer everything is. */
function rows(fields: readonly Field[], sent: boolean): string {
  if (fields.length === 0) return '';
  const lines = fields.map(({ name, type, required, text }) => {
    const must = sent && required ? ' <span class="must">required</span>' : '';
    return `<tr><td><code>${escapeHtml(name)}</code>${must}</td><td>${escapeHtml(type)}</td><td>${prose(text)}</td></tr>`;
  });
  return `<div class="scroll"><table>${lines.join('')}</table></div>`;
}

function curl({ method, path, body, rawBody, access }: Route): string {
  const lines = [
    method === 'GET' ? 'curl' : `curl -X ${method}`,
    ...(access.at === 'public' ? [] : ['-H "Authorization: Bearer $GANTRY_TOKEN"']),
    ...(body
      ? ['-H "Content-Type: application/json"', `-d '${JSON.stringify(exampleOf(body))}'`]
      : []),
    ...(rawBody?.mediaType === 'multipart/form-data'
      ? Object.keys(exampleOf(rawBody.schema) as object).map((name) => `-F ${name}=…`)
      : []),
    `"$GANTRY_URL/api/v1${path}"`,
  ];
  return lines.join(' \\\n  ');
}

function idOf(tag: string): string {
  return tag.toLowerCase().replace(/[^a-z0-9]+/g, '-');
}

function escapeHtml(text: string): string {
  const entities: Record<string, string> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  };
  return text.replace(/[&<>"']/g, (character) => entities[character]!);
}
