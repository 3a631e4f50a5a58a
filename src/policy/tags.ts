import { quote } from '../oci/quote.ts';
import { isTag } from '../oci/reference.ts';
import { allowed, type Decision, deny } from './decision.ts';

const maxTagLength = 128;

/** Whether `tag` can name an image (distribution-spec, "Pulling manifests"). A denial is `tag-invalid`. */
export function checkTag(tag: string): Decision {
  if (isTag(tag)) return allowed;
  if (tag === '') return denial(tag, 'empty', 'must not be empty');
  if (tag.length > maxTagLength) {
    return denial(tag, 'length', `has more than ${maxTagLength} characters, which is the limit`);
  }
  if (/[^a-zA-Z0-9._-]/.test(tag)) {
    return denial(tag, 'characters', 'may have only letters, digits, ".", "_" and "-"');
  }
  return denial(tag, 'first-character', 'must start with a letter, a digit or "_"');
}

/** A legal tag like `tag`: `feature/Über 1` -> `feature-Uber-1`. */
export function suggestTag(tag: string): string {
  const legal = tag
    .slice(0, 2 * maxTagLength)
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .replace(/[^a-zA-Z0-9._-]+/g, '-')
    .replace(/^[.-]+|[.-]+$/g, '')
    .slice(0, maxTagLength);
  return legal || 'latest';
}

function denial(tag: string, rule: string, problem: string): Decision {
  const suggestion = suggestTag(tag);
  return deny('tag-invalid', `The tag ${quote(tag)} ${problem}.`, `Use a tag like ${suggestion}.`, {
    rule,
    suggestion,
  });
}
