import type { ErrorInfo, ErrorKind } from '../../oci/errors.ts';

/** From what went wrong to the API's status and code. */
const table: Partial<Record<ErrorKind, readonly [status: number, code: string]>> = {
  unauthorized: [401, 'UNAUTHORIZED'],
  denied: [403, 'DENIED'],
  quota: [403, 'QUOTA_EXCEEDED'],
  'not-found': [404, 'NOT_FOUND'],
  'name-unknown': [404, 'NOT_FOUND'],
  'manifest-unknown': [404, 'NOT_FOUND'],
  'blob-unknown': [404, 'NOT_FOUND'],
  'method-not-allowed': [405, 'METHOD_NOT_ALLOWED'],
  'body-timeout': [408, 'TIMEOUT'],
  conflict: [409, 'CONFLICT'],
  'tag-immutable': [409, 'TAG_IMMUTABLE'],
  'deletion-off': [409, 'DELETION_OFF'],
  'manifest-in-use': [409, 'IN_USE'],
  'blob-in-use': [409, 'IN_USE'],
  'precondition-failed': [412, 'PRECONDITION_FAILED'],
  'manifest-too-large': [413, 'TOO_LARGE'],
  'config-too-large': [413, 'TOO_LARGE'],
  'layer-too-large': [413, 'TOO_LARGE'],
  'image-too-large': [413, 'TOO_LARGE'],
  'unsupported-media-type': [415, 'UNSUPPORTED_MEDIA_TYPE'],
  'too-many-requests': [429, 'TOO_MANY_REQUESTS'],
  internal: [500, 'INTERNAL'],
  unavailable: [503, 'UNAVAILABLE'],
  'storage-full': [507, 'STORAGE_FULL'],
};

const lookAgain =
  'Check the names and ids, and whether the token is the right one: what it may not see is answered the same as what is not there.';
const asDocumented = 'What this route takes is at /api/v1/docs, and in /api/v1/openapi.json.';
const asLimited =
  'The limits of the plan are in the usage of the team; make it smaller, or ask for more.';
const inUse = 'Take away what uses it first, or wait until it has ended.';
const pushAgain = 'Push it again.';
const tryLater = 'Try again in a moment; where it goes on, the operator finds why in the log.';

/** Of refusals that come without one. Nothing in it depends on what there is: it tells strangers nothing. */
const hints: Readonly<Record<ErrorKind, string>> = {
  'not-found': lookAgain,
  'name-unknown': lookAgain,
  'manifest-unknown': lookAgain,
  'blob-unknown': lookAgain,
  'upload-unknown': pushAgain,
  'upload-invalid': pushAgain,
  'upload-conflict': 'Wait until the other request has ended, then go on.',
  'digest-invalid': asDocumented,
  'digest-mismatch': pushAgain,
  'manifest-blob-unknown': 'Push what the manifest names first.',
  'manifest-invalid': asDocumented,
  'name-invalid': asDocumented,
  'tag-invalid': asDocumented,
  'size-invalid': asDocumented,
  'range-invalid': asDocumented,
  'range-not-satisfiable': asDocumented,
  invalid: asDocumented,
  unsupported: asDocumented,
  'unsupported-media-type': asDocumented,
  'method-not-allowed': asDocumented,
  'manifest-too-large': asLimited,
  'config-too-large': asLimited,
  'layer-too-large': asLimited,
  'image-too-large': asLimited,
  quota: asLimited,
  'manifest-in-use': inUse,
  'blob-in-use': inUse,
  'tag-immutable': 'Push under another tag, or change the rules of the repository.',
  'deletion-off': 'Who administers the repository can change its rules.',
  unauthorized: 'Send a token: Authorization: Bearer <token>.',
  denied: 'Use a token with the scope for it, or ask who administers the team.',
  conflict: 'Read it anew, and choose another name or undo what stands against it.',
  'precondition-failed': 'It was changed meanwhile: read it anew, and send its ETag as If-Match.',
  'body-timeout': 'Send the whole body without long pauses.',
  'too-many-requests': 'Wait for as long as Retry-After says.',
  'storage-full': 'The operator must free space; then try again.',
  unavailable: tryLater,
  internal: tryLater,
};

export interface ApiError {
  readonly status: number;
  readonly body: { readonly code: string; readonly message: string; readonly hint: string };
}

/** Every error that the API gives has this shape. */
export function toApiError({ kind, message, hint }: ErrorInfo): ApiError {
  const [status, code] = table[kind] ?? [400, 'INVALID'];
  return { status, body: { code, message, hint: hint || hints[kind] } };
}
