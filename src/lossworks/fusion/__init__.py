"""Knowledge from several sources as one model, and proof that it was the knowledge that helped."""
