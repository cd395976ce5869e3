/*
 * opcodes.h: the instructions of a program.
 *
 * An instruction has a code and three operands of 16 bits. This list says what each operand is, for
 * the loader, which checks every one before a program runs, and for the compiler, which finds the
 * codes by their names:
 *
 *     r   a register that is read, or a register that is written
 *     w   the first of several registers; how many stands in the operand behind it
 *     n   a number of registers
 *     k   a constant          p   a path in the record      t   a piece of text
 *     j   where to jump       f   a function                i   a number
 *     -   not used
 */
#ifndef FST_VM_OPCODES_H
#define FST_VM_OPCODES_H

#define FST_OPCODES(X) \
    /* Values: to, from. */ \
    X(CONSTANT, "rk-") \
    X(MOVE, "rr-") \
    X(CHECK, "r--")             /* that a variable has a value */ \
    X(UNSET, "r--") \
    /* The record, and its values: to, path, what stands for an absent one. */ \
    X(RECORD, "r--") \
    X(THAW, "ri-")              /* register, whether deeply: a record that is changed */ \
    X(LOAD, "rp-") \
    X(LOAD_OR, "rpr") \
    X(LOAD_ANY, "rpr")          /* as LOAD_OR, whatever the path leads through */ \
    X(EXPECT, "pi-")            /* bits of the types that are declared; see IS_A */ \
    X(EXPECT_VALUE, "ri-")      /* the same of a value */ \
    X(MEMBER, "rrr")            /* to, object, name; unset if there is none */ \
    X(TO_FLOAT, "r--")          /* a number of a record, which is declared as float */ \
    X(ITEMS_TO_FLOAT, "r--")    /* the same of the items of a list, or the values of a dict */ \
    X(VALUES, "rr-")            /* the values of a dict */ \
    X(REFUSE_DATES, "---")      /* from here on results have no dates */ \
    X(REQUIRE, "p--")           /* that a path exists */ \
    X(HAS, "rpi")               /* whether a member exists; whether it is asked for its absence */ \
    /* Operators: to, left, right. */ \
    X(ADD, "rrr") \
    X(ADD_IN_PLACE, "rrr")      /* += changes a list */ \
    X(OR_IN_PLACE, "rrr")       /* |= changes a dict or a set */ \
    X(REFUSE_CONTAINER, "r--")  /* other operators might change one */ \
    X(SUBTRACT, "rrr") \
    X(MULTIPLY, "rrr") \
    X(DIVIDE, "rrr") \
    X(FLOOR_DIVIDE, "rrr") \
    X(MODULO, "rrr") \
    X(POWER, "rrr") \
    X(AND, "rrr") \
    X(OR, "rrr") \
    X(XOR, "rrr") \
    X(SHIFT_LEFT, "rrr") \
    X(SHIFT_RIGHT, "rrr") \
    X(NEGATE, "rr-") \
    X(POSITIVE, "rr-") \
    X(INVERT, "rr-") \
    X(NOT, "rr-") \
    X(EQUAL, "rrr") \
    X(NOT_EQUAL, "rrr") \
    X(LESS, "rrr") \
    X(LESS_EQUAL, "rrr") \
    X(GREATER, "rrr") \
    X(GREATER_EQUAL, "rrr") \
    X(IN, "rrr") \
    X(NOT_IN, "rrr") \
    X(IS, "rrr")                /* one of them is None, True or False */ \
    X(IS_NOT, "rrr") \
    X(IS_A, "rri")              /* to, value, bits of the types: isinstance */ \
    /* Control. */ \
    X(JUMP, "j--") \
    X(JUMP_IF, "rj-") \
    X(JUMP_UNLESS, "rj-") \
    X(ITERATE, "rr-")           /* to, what is iterated */ \
    X(NEXT, "rrj")              /* to, iterator, where to go at its end */ \
    X(UNPACK, "rwn") \
    X(RAISE, "i--") \
    /* Functions that call themselves; see frames.h. */ \
    X(ENTER, "jj-")             /* its FUNCTION, where to go on after it */ \
    X(LEAVE, "---") \
    X(FUNCTION, "wnj")          /* behind its code: its variables, its first instruction */ \
    X(TEMPORARIES, "wn-")       /* behind FUNCTION: its other registers */ \
    X(GIVE_BACK, "---") \
    /* Containers. */ \
    X(LIST, "rwn") \
    X(TUPLE, "rwn") \
    X(SET, "rwn") \
    X(DICT, "rwn")              /* keys and values by turns */ \
    X(APPEND, "rr-")            /* list, item */ \
    X(ADD_TO_SET, "rr-") \
    X(EXTEND, "rr-")            /* list, what is iterated */ \
    X(MERGE, "rr-")             /* dict, mapping */ \
    X(GET_ITEM, "rrr")          /* to, container, key */ \
    X(SET_ITEM, "rrr")          /* container, key, value */ \
    X(DELETE_ITEM, "rr-") \
    X(SLICE, "rrw")             /* to, sequence, registers of start, stop and step */ \
    /* Instances, and named tuples; a constant describes their class, see instances.h. */ \
    X(INSTANCE, "rrk")          /* to, tuple of the values of its fields, class */ \
    X(IS_INSTANCE, "rrk")       /* to, value, class */ \
    X(FIELD, "rrk")             /* to, instance, name */ \
    X(SET_FIELD, "rkr")         /* instance, name, value */ \
    X(REPLACE_FIELD, "rkr")     /* the same in a copy, in the same register */ \
    /* Functions: to, function, registers of its parameters. */ \
    X(CALL, "rfw") \
    X(FORMAT, "rri")            /* to and specification, value, conversion */ \
    X(JOIN, "rwn")              /* strings, one after the other */ \
    /* Results. */ \
    X(PUT_VALUE, "tri")         /* a piece and a value; how many containers it stands in */ \
    X(PUT_PATH, "tpi")          /* a piece and the value at a path */ \
    X(END, "t--")               /* a piece, with which a result ends */ \
    X(EMIT, "r--")              /* a whole result */ \
    X(RETURN, "r--")            /* None, a result, or what can be iterated for results */ \
    X(FINISH, "---")            /* no more results */

enum {
#define FST_CODE(name, operands) FST_OP_##name,
    FST_OPCODES(FST_CODE)
#undef FST_CODE
    FST_OPCODE_COUNT
};

static const char *const FST_OPCODE_NAMES[] = {
#define FST_NAME(name, operands) #name,
    FST_OPCODES(FST_NAME)
#undef FST_NAME
};

static const char *const FST_OPCODE_OPERANDS[] = {
#define FST_OPERANDS(name, operands) operands,
    FST_OPCODES(FST_OPERANDS)
#undef FST_OPERANDS
};

/* Bits for IS_A. */
enum {
    FST_IS_NONE = 1,
    FST_IS_BOOL = 2,
    FST_IS_INT = 4,
    FST_IS_FLOAT = 8,
    FST_IS_STR = 16,
    FST_IS_LIST = 32,
    FST_IS_TUPLE = 64,
    FST_IS_DICT = 128,
    FST_IS_SET = 256,
    FST_IS_ABSENT = 512,
    FST_IS_DECIMAL = 1024
};

#endif
