import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import type { Request, Response } from 'express';
import multer, { MulterError, type StorageEngine } from 'multer';
import { RegistryError, refuse } from '../../../oci/errors.ts';
import { quote } from '../../../oci/quote.ts';

export interface FormRules {
  /** The field of the file; other files are refused. */
  readonly file: string;
  /** Bytes of the whole body; past them, `tooLarge` is the refusal. */
  readonly limit: number;
  readonly tooLarge: () => RegistryError;
}

/** More fields than anyone needs: the tags of one image, and a few. */
const mostFields = 110;

/**
 * Reads a form of one file. `take` is given the file as it comes, and the fields that came before it; the
 * result has all fields, those behind the file as well. Rejects with `invalid` where the form is malformed,
 * cut short, or has no file; with what `take` rejected with, at once: the rest of the body is not waited for.
 */
export function readForm<T>(
  req: IncomingMessage,
  res: ServerResponse,
  rules: FormRules,
  take: (file: Readable, fields: Record<string, unknown>) => Promise<T>,
): Promise<{ taken: T; fields: Record<string, unknown> }> {
  return new Promise((resolve, reject) => {
    const request = req as Request;
    let taken: { value: T } | undefined;
    let size = 0;
    req.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > rules.limit) reject(rules.tooLarge());
    });
    const storage: StorageEngine = {
      _handleFile(_req, file, done) {
        const receive = async (): Promise<void> => {
          if (file.fieldname !== rules.file) throw otherFile(file.fieldname, rules.file);
          taken = { value: await take(file.stream, fieldsOf(request)) };
        };
        receive().then(
          () => done(null, {}),
          (error: unknown) => {
            reject(toRefusal(error));
            done(error);
          },
        );
      },
      _removeFile: (_req, _file, done) => done(null),
    };
    const parse = multer({
      storage,
      limits: {
        ...{ fieldNameSize: 100, fieldSize: 4096, fields: mostFields, files: 1 },
        ...{ parts: mostFields + 1, headerPairs: 20, fieldNestingDepth: 0 },
      },
    }).any();
    parse(request, res as Response, (error?: unknown) => {
      if (error) reject(toRefusal(error));
      else if (taken) resolve({ taken: taken.value, fields: fieldsOf(request) });
      else reject(noFile(rules.file));
    });
  });
}

function fieldsOf(req: Request): Record<string, unknown> {
  return { ...(req.body as Record<string, unknown> | undefined) };
}

/** What multer and its parser throw, in our words. */
function toRefusal(error: unknown): unknown {
  if (error instanceof RegistryError) return error;
  const { code, message } = error as { code?: unknown; message?: string };
  if (error instanceof MulterError) {
    const field = error.field ? ` ${quote(error.field)}` : '';
    return malformed(`${error.message}${field}`);
  }
  // What is of the disk, of the store or of us has a code, or is no plain Error.
  const plain = error instanceof Error && error.name === 'Error' && code === undefined;
  if (plain || code === 'ECONNRESET' || code === 'ERR_STREAM_PREMATURE_CLOSE') {
    return malformed(message ?? 'it was cut short');
  }
  return error;
}

function malformed(problem: string): RegistryError {
  return refuse(
    'invalid',
    `The form is malformed: ${problem}.`,
    'Send multipart/form-data, such as: curl -F image=@image.tar -F tag=v1 URL',
  );
}

function otherFile(field: string, wanted: string): RegistryError {
  return malformed(`a file came in the field ${quote(field)}, and is wanted in ${quote(wanted)}`);
}

function noFile(wanted: string): RegistryError {
  return malformed(`there is no file in the field ${quote(wanted)}`);
}
