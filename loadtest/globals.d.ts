// What k6 gives every script and @types/k6 leaves out.
declare const console: Record<'debug' | 'info' | 'log' | 'warn' | 'error', (...args: unknown[]) => void>;
