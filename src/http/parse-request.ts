/** What a request under `/v2/` asks for. Pure: one look at the method and the URL, no decisions. */
export type RouteName =
  | 'base'
  | 'catalog'
  | 'tags'
  | 'manifest'
  | 'blob'
  | 'uploads'
  | 'upload'
  | 'referrers';

export interface RegistryRequest {
  readonly route: RouteName;
  /** `<name>` of the distribution-spec, not yet checked; '' for `base` and `catalog`. */
  readonly name: string;
  /** Tag, digest or session id; '' where the route has none. */
  readonly reference: string;
  readonly query: URLSearchParams;
}

const noQuery = new URLSearchParams();

/** Undefined: no route of the distribution-spec. Names contain slashes, so paths are read from their end. */
export function parseRegistryUrl(url: string): RegistryRequest | undefined {
  const mark = url.indexOf('?');
  let path = mark < 0 ? url : url.slice(0, mark);
  const query = mark < 0 ? noQuery : new URLSearchParams(url.slice(mark + 1));
  if (path.includes('%')) {
    try {
      path = decodeURIComponent(path);
    } catch {
      return undefined;
    }
  }
  if (path === '/v2/' || path === '/v2') return { route: 'base', name: '', reference: '', query };
  if (path === '/v2/_catalog') return { route: 'catalog', name: '', reference: '', query };
  const last = path.lastIndexOf('/');
  const reference = path.slice(last + 1);
  const middle = path.lastIndexOf('/', last - 1);
  if (middle < 4) return undefined;
  const verb = path.slice(middle + 1, last);
  switch (verb) {
    case 'manifests':
      return at('manifest', path, middle, reference, query);
    case 'blobs':
      // `blobs/uploads` without its last slash is what some clients send.
      return reference === 'uploads'
        ? at('uploads', path, middle, '', query)
        : at('blob', path, middle, reference, query);
    case 'tags':
      return reference === 'list' ? at('tags', path, middle, '', query) : undefined;
    case 'referrers':
      return at('referrers', path, middle, reference, query);
    case 'uploads': {
      const blobs = path.lastIndexOf('/', middle - 1);
      if (blobs < 4 || path.slice(blobs + 1, middle) !== 'blobs') return undefined;
      return reference === ''
        ? at('uploads', path, blobs, '', query)
        : at('upload', path, blobs, reference, query);
    }
    default:
      return undefined;
  }
}

function at(
  route: RouteName,
  path: string,
  end: number,
  reference: string,
  query: URLSearchParams,
): RegistryRequest | undefined {
  if (reference === '' && route !== 'tags' && route !== 'uploads') return undefined;
  return { route, name: path.slice(4, end), reference, query };
}
