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

/** What looks like a token of ours, a JWT or a Basic credential is masked, should one slip into a text. */
const secretPattern =
  /gntr?_[A-Za-z0-9_-]{16,}|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*|\b(?:Basic|Bearer)\s+[A-Za-z0-9+/_=.-]{8,}|_state=[A-Za-z0-9._-]+/g;

export function maskSecrets(text: string): string {
  return text.replace(secretPattern, '[masked]');
}

export function createLogger(options: { level: string }): Logger {
  const logger = winston.createLogger({
    level: options.level,
    format: winston.format.combine(
      winston.format.timestamp(),
      winston.format((info) => {
        for (const [key, value] of Object.entries(info)) {
          if (typeof value === 'string') info[key] = maskSecrets(value);
        }
        return info;
      })(),
      winston.format.json(),
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
