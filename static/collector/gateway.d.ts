/** Put in by the gateway: a number. */
declare const CONSENTRY_OPTIONS: number;
