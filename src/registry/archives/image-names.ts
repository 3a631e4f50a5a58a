import { refuse } from '../../oci/errors.ts';
import { quote } from '../../oci/quote.ts';
import { isTag } from '../../oci/reference.ts';

/** An image that an archive holds, and what the archive calls it. */
export interface NamedImage<K> {
  readonly key: K;
  readonly names: readonly string[];
}

/** Where tools write what an image of a layout is called; the second is containerd's. */
const annotationNames = ['io.containerd.image.name', 'org.opencontainers.image.ref.name'];

export function namesOf(annotations: Readonly<Record<string, string>> | undefined): string[] {
  return annotationNames.flatMap((name) => {
    const value = annotations?.[name];
    return value ? [value] : [];
  });
}

/**
 * The one image that is meant: the only one, or the one that has `wanted` for a name. One that is named
 * several times counts once, with all its names. Throws `invalid`.
 */
export function choose<K>(images: readonly NamedImage<K>[], wanted: string | undefined) {
  const byKey = new Map<K, string[]>();
  for (const { key, names } of images) byKey.set(key, [...(byKey.get(key) ?? []), ...names]);
  const all = [...byKey].map(([key, names]) => ({ key, names }));
  const fitting =
    wanted === undefined
      ? all
      : all.filter(({ names }) => names.some((name) => name === wanted || tagOf(name) === wanted));
  const [first, ...others] = fitting;
  const known = all.flatMap(({ names }) => names.map((name) => quote(name)));
  const list = known.slice(0, 10).join(', ') || 'none that has a name';
  if (!first) {
    throw refuse(
      'invalid',
      wanted === undefined
        ? 'The archive holds no image.'
        : `The archive holds no image ${quote(wanted)}.`,
      `It holds: ${list}.`,
    );
  }
  if (others.length > 0) {
    throw refuse(
      'invalid',
      `The archive holds ${fitting.length} images, and an upload is of one.`,
      `Say which one in the field "name", before or after the file. It holds: ${list}.`,
    );
  }
  return first;
}

/** The tags in names such as `docker.io/library/web:v1` or `v1`. */
export function tagsOf(names: readonly string[]): string[] {
  return [...new Set(names.map(tagOf).filter((tag) => tag !== undefined))];
}

function tagOf(name: string): string | undefined {
  const last = name.slice(name.lastIndexOf('/') + 1);
  const [before, tag] = last.split('@', 1)[0]!.split(':') as [string, string | undefined];
  const found = tag ?? (last === name && !last.includes('@') ? before : undefined);
  return found !== undefined && isTag(found) ? found : undefined;
}
