import type { Schema } from './schema.ts';

/** One line of a table of fields. */
export interface Field {
  /** `items[].tag` */
  readonly name: string;
  readonly type: string;
  readonly required: boolean;
  readonly text: string;
}

const deepest = 4;

/** Every field of a schema, with those inside it below. Empty where it is no object. */
export function fieldsOf(schema: Schema, prefix = '', depth = 0): Field[] {
  const inner = innerOf(schema);
  if (depth > deepest) return [];
  return Object.entries(inner.properties ?? {}).flatMap(([name, property]) => {
    const path = `${prefix}${name}`;
    const { items } = notNull(property);
    const below = items
      ? fieldsOf(items, `${path}[].`, depth + 1)
      : fieldsOf(property, `${path}.`, depth + 1);
    const field: Field = {
      ...{ name: path, type: typeOf(property), text: textOf(property) },
      required: inner.required?.includes(name) ?? false,
    };
    return [field, ...below];
  });
}

/** In words: `string or null`, `list of strings`. */
export function typeOf(schema: Schema): string {
  const { type, items, anyOf, oneOf, enum: values, format } = schema;
  const either = anyOf ?? oneOf;
  if (either) return [...new Set(either.map(typeOf))].join(' or ');
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (values) return values.map((value) => JSON.stringify(value)).join(', ');
  if (typeof type === 'object') return type.map((one) => nameOf(one, format, items)).join(' or ');
  return nameOf(type ?? 'anything', format, items);
}

function nameOf(type: string, format: string | undefined, items: Schema | undefined): string {
  if (type === 'array') return items ? `list of ${typeOf(items)}` : 'list';
  return type === 'string' && format !== undefined ? format : type;
}

function textOf(schema: Schema): string {
  const { minimum, maximum, default: preset } = schema;
  const text = schema.description ?? notNull(schema).description ?? '';
  const range =
    text === '' && minimum !== undefined && maximum !== undefined
      ? `${minimum} to ${maximum}.`
      : '';
  const otherwise = preset === undefined ? '' : `Unless given: ${JSON.stringify(preset)}.`;
  return [text, range, otherwise].filter((part) => part !== '').join(' ');
}

/** A value of that schema, for an example. */
export function exampleOf(schema: Schema, depth = 0): unknown {
  const { examples, enum: values, anyOf, oneOf, items, type } = schema;
  if (examples?.length) return examples[0];
  if (schema.const !== undefined) return schema.const;
  if (values) return values[0];
  const [first] = anyOf ?? oneOf ?? [];
  if (first) return exampleOf(first, depth);
  if (schema.default !== undefined) return schema.default;
  switch (typeof type === 'object' ? type[0] : type) {
    case 'object':
      return exampleOfObject(schema, depth);
    case 'array':
      return items && depth < deepest ? [exampleOf(items, depth + 1)] : [];
    case 'integer':
    case 'number':
      return schema.minimum ?? 1;
    case 'boolean':
      return true;
    default:
      return schema.format === 'date-time' ? '2030-01-01T00:00:00.000Z' : '…';
  }
}

/** What it must have; where it must have nothing, all that it may. */
function exampleOfObject(schema: Schema, depth: number): object {
  const { properties = {}, required = [] } = schema;
  const wanted = Object.entries(properties).filter(
    ([name]) => required.length === 0 || required.includes(name),
  );
  return Object.fromEntries(wanted.map(([name, one]) => [name, exampleOf(one, depth + 1)]));
}

function innerOf(schema: Schema): Schema {
  const { items } = schema;
  return notNull(items && !schema.properties ? items : schema);
}

function notNull(schema: Schema): Schema {
  return schema.anyOf?.find(({ type }) => type !== 'null') ?? schema;
}
