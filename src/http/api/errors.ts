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

export interface ApiError {
  readonly status: number;
  readonly body: { readonly code: string; readonly message: string; readonly hint: string };
}

/** Every error that the API gives has this shape. */
export function toApiError({ kind, message, hint }: ErrorInfo): ApiError {
  const [status, code] = table[kind] ?? [400, 'INVALID'];
  return { status, body: { code, message, hint: hint ?? '' } };
}
