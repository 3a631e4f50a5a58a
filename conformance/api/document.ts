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

/** Parameters of which no value that a program makes up is good, and no schema can say which are. */
const unguessable: Readonly<Record<string, string>> = {
  cursor: 'it is signed',
  'If-Match': 'it names what is there',
};

/**
 * The document as a program can ask by it: without parameters that nobody can guess, without answers that
 * have no end, and with projects that there are where a body or a query names some.
 */
export function askable(document: OpenApiDocument, projects: readonly string[]): OpenApiDocument {
  const paths = Object.entries(document.paths).map(([path, operations]) => {
    const kept = Object.entries(operations).filter(([, one]) => !isStream(one));
    return [path, Object.fromEntries(kept.map(([method, one]) => [method, guessable(one)]))];
  });
  const asked = { ...document, paths: Object.fromEntries(paths) as OpenApiDocument['paths'] };
  return JSON.parse(JSON.stringify(asked), (name, value: unknown) =>
    name === 'projects' ? withItems(value, projects) : value,
  ) as OpenApiDocument;
}

function isStream({ responses }: Operation): boolean {
  return Object.hasOwn(responses?.[200]?.content ?? {}, 'text/event-stream');
}

function guessable(operation: Operation): Operation {
  const parameters = operation.parameters ?? [];
  return { ...operation, parameters: parameters.filter(({ name }) => !(name in unguessable)) };
}

/** A list that is sent (one that is got has no least length), of these strings alone. */
function withItems(schema: unknown, values: readonly string[]): unknown {
  const { items, minItems } = (schema ?? {}) as { items?: { type?: string }; minItems?: number };
  if (items?.type !== 'string' || minItems === undefined) return schema;
  return { ...(schema as object), items: { type: 'string', enum: values } };
}
