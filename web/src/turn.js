// A question and what each model answered to it; an answer made anew stands beside the one before.
import { computed, signal } from "@preact/signals";
import { Answer } from "./answer.js";

export class Column {
  constructor({ variants = [], shown = 0 } = {}) {
    this.variants = signal(variants.map((each) => new Answer(each)));
    this.shown = signal(shown);
    this.answer = computed(() => this.variants.value[this.shown.value]);
  }

  add(model) {
    this.variants.value = [...this.variants.value, new Answer({ model })];
    this.shown.value = this.variants.value.length - 1;
    return this.answer.value;
  }

  saved() {
    return { variants: this.variants.value.map((each) => each.saved()), shown: this.shown.value };
  }
}

let count = 0;

export class Turn {
  constructor({ question, columns = [] }) {
    this.id = count += 1; // tells turns apart on the screen, and is not kept
    this.question = question;
    this.columns = signal(columns.map((each) => new Column(each)));
  }

  /** The column of the first or the second model, made where there is none yet. */
  column(place) {
    while (this.columns.value.length <= place) this.columns.value = [...this.columns.value, new Column()];
    return this.columns.value[place];
  }

  /** What the model at a place is told that it said: its own answer, or that of the one model there was. */
  said(place) {
    return (this.columns.value[place] ?? this.columns.value[0])?.answer.value?.text.value ?? "";
  }

  saved() {
    return { question: this.question, columns: this.columns.value.map((each) => each.saved()) };
  }
}
