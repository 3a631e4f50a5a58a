import { createHash } from 'node:crypto';
import { refuse } from '../../oci/errors.ts';

/** A strong validator (RFC 9110, 8.8.3) of an answer's JSON. */
export function etagOf(json: string): string {
  return `"${createHash('sha256').update(json).digest('base64url').slice(0, 27)}"`;
}

/** Whether an `If-Match` or `If-None-Match` list names `etag`. Weak ones match for reads alone. */
export function names(header: string, etag: string, weak: boolean): boolean {
  return header.split(',').some((part) => {
    const tag = part.trim();
    return tag === '*' || tag === etag || (weak && tag === `W/${etag}`);
  });
}

export function preconditionFailed() {
  return refuse(
    'precondition-failed',
    'It has changed since it was read: If-Match names another version.',
    'Read it again, look at what changed, and send the change with the new ETag.',
  );
}
