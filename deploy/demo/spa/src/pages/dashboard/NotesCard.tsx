import { useState } from "react";
import { asProblem, postJson } from "../../http.ts";
import { useJson } from "../../useJson.ts";

type Note = { text: string; by: string; at: string };

export function NotesCard() {
  const [notes, again] = useJson<{ notes: Note[] }>("/api/notes");
  const [text, setText] = useState("");
  const [trouble, setTrouble] = useState("");
  const add = async () => {
    try {
      await postJson<Note>("/api/notes", { text });
      setText("");
      setTrouble("");
      again();
    } catch (error) {
      setTrouble(asProblem(error).title);
    }
  };
  return (
    <section className="card" aria-labelledby="notes-title">
      <h2 id="notes-title">Notes</h2>
      <form
        className="row"
        onSubmit={(event) => {
          event.preventDefault();
          void add();
        }}
      >
        <label htmlFor="note-text">A note for everybody</label>
        <input id="note-text" value={text} maxLength={280} required onChange={(event) => setText(event.target.value)} />
        <button>Add</button>
      </form>
      {trouble !== "" && <p role="alert">{trouble}</p>}
      {notes.state === "ready" && <List notes={notes.value.notes} />}
    </section>
  );
}

function List({ notes }: { notes: Note[] }) {
  if (notes.length === 0) return <p className="quiet">No notes yet.</p>;
  return (
    <ul className="notes">
      {notes.slice(0, 5).map((note, index) => (
        <li key={index}>
          {note.text} <span className="quiet">by {note.by}</span>
        </li>
      ))}
    </ul>
  );
}
