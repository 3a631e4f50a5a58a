import assert from 'node:assert/strict';
import type { Asker } from '../attacks/route-matrix/ask.ts';

interface Parameter {
  readonly name: string;
  readonly in: string;
}

interface Operation {
  readonly operationId: string;
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

/** What there is: other names are not asked for, but to see them refused. */
export interface Known {
  /** By name of the path parameter. */
  readonly places: Readonly<Record<string, string>>;
  /** Of operations that change or delete the place itself: another one, by operationId. */
  readonly others: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** By field of a body. */
  readonly fields: Readonly<Record<string, readonly (string | null)[]>>;
}

/** Parameters of which no value that a program makes up is good, and no schema can say which are. */
const unguessable: Readonly<Record<string, string>> = {
  cursor: 'it is signed',
  'If-Match': 'it names what is there',
};

/**
 * The document as a program can ask by it: without parameters that nobody can guess, without answers that
 * have no end, and with names of what there is.
 */
export function askable(document: OpenApiDocument, known: Known): OpenApiDocument {
  const paths = Object.entries(document.paths).map(([path, operations]) => {
    const kept = Object.entries(operations).filter(([, one]) => !isStream(one));
    return [path, Object.fromEntries(kept.map(([method, one]) => [method, guessable(one, known)]))];
  });
  const asked = { ...document, paths: Object.fromEntries(paths) as OpenApiDocument['paths'] };
  return JSON.parse(JSON.stringify(asked), (name, value: unknown) => {
    const values = known.fields[name];
    if (values && isSchema(value)) return withValues(value, values);
    // A project named 0 would make a number in the path, which is tried as a wrong one, right.
    return name === 'slug' && isSchema(value)
      ? { ...value, pattern: '^[a-z]([a-z0-9-]{0,20}[a-z0-9])?$' }
      : value;
  }) as OpenApiDocument;
}

function isStream({ responses }: Operation): boolean {
  return Object.hasOwn(responses?.[200]?.content ?? {}, 'text/event-stream');
}

function guessable(operation: Operation, { places, others }: Known): Operation {
  const here = { ...places, ...others[operation.operationId] };
  const parameters = (operation.parameters ?? [])
    .filter(({ name }) => !(name in unguessable))
    .map((one) => {
      const value = one.in === 'path' ? here[one.name] : undefined;
      return value === undefined ? one : { ...one, schema: { type: 'string', enum: [value] } };
    });
  return { ...operation, parameters };
}

interface Schema {
  readonly type?: string | readonly string[];
  readonly items?: Schema;
  readonly minItems?: number;
}

/** Of a text or of a list: a field of that name may be a number elsewhere. */
const isSchema = (value: unknown): value is Schema =>
  typeof value === 'object' &&
  value !== null &&
  /string|array/.test(String(Reflect.get(value, 'type')));

/** A list that is sent (one that is got has no least length) has these alone; so has a text. */
function withValues(schema: Schema, values: readonly (string | null)[]): unknown {
  const { items, minItems } = schema;
  if (!items) return { enum: values };
  return minItems === undefined ? schema : { ...schema, items: { enum: values } };
}
