import winston from 'winston';

export type LogFields = Readonly<Record<string, unknown>>;

/** JSON Lines on standard error. Fields never hold secrets: callers pass ids and names, not headers. */
export interface Logger {
  error(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
  /** Whether lines of that level are written: fields that nobody reads are not worth making. */
  writes(level: LogLevel): boolean;
}

const levels = ['error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof levels)[number];

/**
 * What looks like a token of ours, a JWT or a Basic credential is masked, should one slip into a text.
 * A JWT begins where no letter of one stands before it: else a long text of `eyJ` would be read again
 * from each of them.
 */
const secretPattern =
  /gntr?_[A-Za-z0-9_-]{16,}|(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*|\b(?:Basic|Bearer)\s+[A-Za-z0-9+/_=.-]{16,}|_state=[A-Za-z0-9._-]+/g;

export function maskSecrets(text: string): string {
  return text.replace(secretPattern, '[masked]');
}

/** Where winston keeps the finished line. */
const line = Symbol.for('message');

/** `fields`: of every line. */
export function createLogger(options: { level: string; fields?: LogFields }): Logger {
  const logger = winston.createLogger({
    level: options.level,
    ...(options.fields && { defaultMeta: options.fields }),
    format: winston.format.combine(
      winston.format.timestamp(),
      winston.format.json(),
      // The whole line, so that no field is too deep in it to be seen.
      winston.format((info) => {
        info[line] = maskSecrets(String(info[line]));
        return info;
      })(),
    ),
    transports: [
      new winston.transports.Console({ stderrLevels: ['error', 'warn', 'info', 'debug'] }),
    ],
  });
  const written = new Set(levels.filter((level) => logger.isLevelEnabled(level)));
  const writes = (level: LogLevel) => written.has(level);
  // winston formats each line before it asks whether the line is wanted.
  const at = (level: LogLevel) =>
    writes(level)
      ? (message: string, fields?: LogFields) => void logger.log(level, message, fields)
      : () => {};
  return { error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug'), writes };
}
