import { docsPage, docsPolicy } from '../docs-page.ts';
import { openApiDocument } from '../openapi.ts';
import type { Route } from '../route.ts';

/** The document and its page, of `routes` and of themselves. */
export function metaRoutes(routes: readonly Route[], about: { version: string }): Route[] {
  let all: readonly Route[] = routes;
  let document: string | undefined;
  let page: string | undefined;
  const own: Route[] = [
    {
      method: 'GET',
      path: '/openapi.json',
      operationId: 'getOpenApi',
      tag: 'API',
      summary: 'This API as an OpenAPI 3.1 document.',
      access: { at: 'public' },
      replies: { 200: { description: 'The document.', schema: { type: 'object' } } },
      async handle() {
        document ??= JSON.stringify(openApiDocument(all, about));
        return { status: 200, body: JSON.parse(document) as unknown };
      },
    },
    {
      method: 'GET',
      path: '/docs',
      operationId: 'getDocs',
      tag: 'API',
      summary: 'This API as a page for people.',
      access: { at: 'public' },
      replies: {
        200: { description: 'The page.', mediaType: 'text/html', schema: { type: 'string' } },
      },
      async handle({ res }) {
        page ??= docsPage(all);
        res.writeHead(200, {
          'Content-Type': 'text/html; charset=utf-8',
          'Content-Length': Buffer.byteLength(page),
          'Content-Security-Policy': docsPolicy,
          'X-Content-Type-Options': 'nosniff',
          'Cache-Control': 'no-cache',
        });
        res.end(page);
        return undefined;
      },
    },
  ];
  all = [...routes, ...own];
  return own;
}
