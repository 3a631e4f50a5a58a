import { RegistryError, refuse } from '../../src/oci/errors.ts';

const sqlite = { readonly: 8, ioError: 10, corrupt: 11, full: 13, cannotOpen: 14, notDatabase: 26 };

/** Why a database could not be opened, for the one who starts the program; other errors as they are. */
export function explainOpen(error: unknown, file: string): Error {
  if (error instanceof RegistryError) return error;
  const { message } = error as Error;
  switch (((error as { errcode?: number }).errcode ?? 0) & 0xff) {
    case sqlite.full:
      return refuse(
        'storage-full',
        `The disk of ${file} is full.`,
        'Free some space on it, then start again.',
      );
    case sqlite.readonly:
    case sqlite.ioError:
    case sqlite.cannotOpen:
      return refuse(
        'unavailable',
        `The file ${file} cannot be used: ${message}.`,
        'Check that its folder may be written to by this user, and that its disk has room and works.',
      );
    case sqlite.corrupt:
    case sqlite.notDatabase:
      return refuse(
        'unavailable',
        `The file ${file} is damaged: ${message}.`,
        'Restore the data folder from a backup.',
      );
    default:
      return error as Error;
  }
}
