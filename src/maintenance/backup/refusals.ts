import { type RegistryError, refuse } from '../../oci/errors.ts';

/** `what` is no sentence: it follows a colon. */
export function damaged(what: string): RegistryError {
  return refuse(
    'invalid',
    `The backup is damaged: ${what}.`,
    'Take another backup. npx gantry admin restore <backup> --check says what is wrong with one.',
  );
}

export function incomplete(folder: string): RegistryError {
  return refuse(
    'invalid',
    `${folder} holds no whole backup: backup.json, which is written last, is missing.`,
    'Run the backup again into the same folder: it goes on. Or name another one.',
  );
}
