import assert from 'node:assert/strict';
import type { Asker } from '../attacks/route-matrix/ask.ts';

interface Parameter {
  readonly name: string;
  readonly in: string;
}

interface Operation {
  readonly parameters?: readonly Parameter[];
  readonly responses?: Readonly<Record<string, { readonly content?: object }>>;
}

export interface OpenApiDocument {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

export async function readDocument(asker: Asker): Promise<OpenApiDocument> {
  const { status, body } = await asker.ask({ method: 'GET', target: '/api/v1/openapi.json' });
  assert.equal(status, 200, body);
  return JSON.parse(body) as OpenApiDocument;
}

/**
 * The document without `cursor`: a cursor is signed, so that none that a program makes up is good, and no
 * schema can say so. And without answers that have no end.
 */
export function askable(document: OpenApiDocument): OpenApiDocument {
  const without = (operation: Operation): Operation => ({
    ...operation,
    parameters: (operation.parameters ?? []).filter((one) => one.name !== 'cursor'),
  });
  const paths = Object.entries(document.paths).map(([path, operations]) => [
    path,
    Object.fromEntries(
      Object.entries(operations)
        .filter(
          ([, one]) => !Object.hasOwn(one.responses?.[200]?.content ?? {}, 'text/event-stream'),
        )
        .map(([m, o]) => [m, without(o)]),
    ),
  ]);
  return { ...document, paths: Object.fromEntries(paths) as OpenApiDocument['paths'] };
}
