/** A JSON Schema (2020-12), as ajv checks it and the OpenAPI document shows it. */
export interface Schema {
  readonly type?: string | readonly string[];
  readonly title?: string;
  readonly description?: string;
  readonly format?: string;
  readonly pattern?: string;
  readonly enum?: readonly (string | number | boolean | null)[];
  readonly const?: string | number | boolean | null;
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly uniqueItems?: boolean;
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly minProperties?: number;
  readonly maxProperties?: number;
  readonly propertyNames?: Schema;
  readonly additionalProperties?: boolean | Schema;
  readonly oneOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
  readonly not?: Schema;
}

export type ObjectSchema = Schema & { readonly type: 'object' };

/** An object that has all of `properties` but those in `optional`, and nothing else. */
export function object(
  properties: Readonly<Record<string, Schema>>,
  options: { optional?: readonly string[]; title?: string; description?: string } = {},
): ObjectSchema {
  const { optional = [], ...rest } = options;
  const required = Object.keys(properties).filter((name) => !optional.includes(name));
  return { type: 'object', properties, required, additionalProperties: false, ...rest };
}

export const list = (items: Schema, more: Partial<Schema> = {}): Schema => ({
  type: 'array',
  items,
  ...more,
});

/** A page of a list: `next` is the cursor of the page that follows, null on the last. */
export const page = (items: Schema, title: string): ObjectSchema =>
  object({ items: list(items), next: nullable({ type: 'string' }) }, { title });

export function nullable(schema: Schema): Schema {
  // One with a title stands once in the document, and null beside it.
  if (typeof schema.type !== 'string' || schema.enum || schema.title !== undefined) {
    return { anyOf: [schema, { type: 'null' }] };
  }
  return { ...schema, type: [schema.type, 'null'] };
}

export const text = (maxLength: number, more: Partial<Schema> = {}): Schema => ({
  type: 'string',
  minLength: 1,
  maxLength,
  ...more,
});

export const oneOf = (...values: readonly string[]): Schema => ({ type: 'string', enum: values });

/** A moment, RFC 3339 in UTC. */
export const time: Schema = { type: 'string', format: 'date-time' };

/** One line for people: no control characters, no spaces around it. */
export const title = text(100, {
  format: 'title',
  description: 'A text of 1 to 100 characters on one line, without spaces around it.',
});

export const slug = text(63, {
  format: 'slug',
  description:
    '1 to 63 lower-case letters and digits, between which ".", "_", "__" or dashes may stand.',
  examples: ['web-shop'],
});

export const digest: Schema = {
  type: 'string',
  format: 'digest',
  description: '`sha256:` and 64, or `sha512:` and 128, lower-case hexadecimal digits.',
  maxLength: 135,
  examples: ['sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
};

/** UTC milliseconds as the API writes them. */
export function toTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
