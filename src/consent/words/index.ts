/** The languages that are understood. A new one is a file in this folder and a line here. */
import { de } from './de.ts';
import { en } from './en.ts';
import { es } from './es.ts';
import { fr } from './fr.ts';
import type { Language } from './language.ts';
import { pt } from './pt.ts';

/** In this order they are asked; the first that knows a text gives the language of the answer. */
export const LANGUAGES = { en, es, fr, de, pt } as const satisfies Readonly<Record<string, Language>>;

export type LanguageCode = keyof typeof LANGUAGES;

export const LANGUAGE_CODES = ['en', 'es', 'fr', 'de', 'pt'] as const satisfies readonly LanguageCode[];
