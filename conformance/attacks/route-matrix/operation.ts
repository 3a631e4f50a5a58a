import type { Asked } from './ask.ts';
import type { Sample } from './row.ts';
import type { Place, World } from './world.ts';

/** One operation as the OpenAPI document has it. */
export interface Operation {
  readonly operationId: string;
  readonly method: string;
  /** `/api/v1/teams/{team}` */
  readonly path: string;
  /** What the document tells readers of who may call it: `project: pull`. */
  readonly access: string;
}

interface Described {
  readonly operationId: string;
  readonly 'x-access': string;
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Described>>>>;
}

export async function readOperations({ asker }: World): Promise<Operation[]> {
  const { status, body } = await asker.ask({ method: 'GET', target: '/api/v1/openapi.json' });
  if (status !== 200) throw new Error(`openapi.json: ${status}`);
  const { paths } = JSON.parse(body) as Document;
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { operationId, 'x-access': access }]) => ({
      ...{ operationId, path, access, method: method.toUpperCase() },
    })),
  );
}

export type Parts = Readonly<Record<string, string>>;

/** Every parameter of the path: those of the place, and those of the sample. */
export function partsOf({ path }: Operation, place: Place, { params = {} }: Sample): Parts {
  const { team, project, repository } = place;
  const all: Record<string, string> = { team, project, repository, ...params };
  const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!);
  return Object.fromEntries(
    names.map((name) => {
      const value = all[name];
      if (value === undefined) throw new Error(`${path}: the row has no sample of {${name}}`);
      return [name, value];
    }),
  );
}

export function requestOf(
  { method, path }: Operation,
  parts: Parts,
  sample: Sample,
  shown: Readonly<Record<string, string>>,
): Asked {
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(parts[name]!));
  const query = new URLSearchParams(sample.query).toString();
  const { body } = sample;
  const raw = typeof body === 'string' || body instanceof Uint8Array;
  return {
    method,
    target: query === '' ? filled : `${filled}?${query}`,
    headers: {
      ...shown,
      ...(body !== undefined && !raw && { 'content-type': 'application/json' }),
      ...sample.headers,
    },
    body: raw ? body : body === undefined ? undefined : JSON.stringify(body),
  };
}
